"""The Training faces whose activations say what ranges eight bits must cover."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer.constants import Split
from fer.store import open_store, read_split


def training_faces(store: Path, count: int) -> NDArray[np.uint8]:
    """Return `count` of Training's faces, (N, 48, 48), in an order that is always the same."""
    with open_store(store) as file:
        images = read_split(file, Split.training).images
    return images[np.random.default_rng(0).permutation(len(images))[:count]]
