"""Test faces that nearly stand in Training: cropped again, recompressed, retouched or mirrored copies of one picture.

Two faces are near-duplicates when their normalised correlation, the cosine of their pixels after each face's mean is
taken off (Gonzalez and Woods, Digital Image Processing, 12.2), is above a threshold; the mirror image of the Training
face counts as well. Exact copies have a correlation of 1 and are among them.

The search compares 12x12 block means first. For faces x, y of mean 0 and norm 1 and any orthogonal projection P, |Px -
Py| <= |x - y|, and |x - y|² = 2 - 2 corr: a pair whose block means differ by more cannot be above the threshold. So a
matrix product a sixteenth as large leaves a few thousand pairs of FER2013's 200 million, and these are compared whole,
in float64: the result does not depend on how the product was rounded.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer.constants import IMAGE_SIZE, TEST_SPLITS, Split
from fer.files import write_csv
from fer.store import Faces, open_store, read_blocks, read_split

SIDE = 12  # block means a side
BLOCK = 1024  # Training faces compared at a time
ROUNDING = 1e-3  # what float32 may get wrong in a squared distance, with much to spare


class NearDuplicate(NamedTuple):
    """A test face and the Training face that is most like it, by their rows in the CSV."""

    row: int
    split: str
    training_row: int
    correlation: float
    mirrored: bool


class Search(NamedTuple):
    """One test split, ready to be compared."""

    split: Split
    faces: Faces
    means: NDArray[np.float32]  # (2, N, 146), as they are and mirrored


def find_near_duplicates(store: Path, *, correlation: float) -> list[NearDuplicate]:
    """Return each test face that has a Training face above `correlation`, with the most similar one.

    Of equally similar Training faces the one that is not mirrored counts, then the first in the file. Sorted by row.
    Memory: the test splits, and one block of Training.
    """
    found: dict[int, NearDuplicate] = {}
    with open_store(store) as file:
        searches = [prepare(file, split) for split in TEST_SPLITS]
        for training in read_blocks(file, Split.training, BLOCK):
            for pair in (pair for search in searches for pair in compare(search, training, correlation)):
                best = found.get(pair.row)
                if best is None or closeness(pair) > closeness(best):
                    found[pair.row] = pair
    return [found[row] for row in sorted(found)]


def closeness(pair: NearDuplicate) -> tuple[float, bool, int]:
    return pair.correlation, not pair.mirrored, -pair.training_row


def prepare(file: h5py.File, split: Split) -> Search:
    faces = read_split(file, split)
    means = block_means(unit(faces.images, np.float32))  # (N, 12, 12)
    return Search(split, faces, np.stack([beside_half_square(turned, 1) for turned in (means, means[:, :, ::-1])]))


def compare(search: Search, training: Faces, correlation: float) -> Iterator[NearDuplicate]:
    """Yield all pairs above `correlation` between a test split and a block of Training."""
    means = beside_half_square(block_means(unit(training.images, np.float32)), 0)  # (B, 146)
    for turned, theirs in enumerate(search.means):
        near = means @ theirs.T > correlation - 1 - ROUNDING  # (B, N): minus half the squared distance
        ours, others = np.divmod(np.flatnonzero(near), len(search.faces))  # (C,), (C,)
        images = training.images[ours, :, ::-1] if turned else training.images[ours]  # (C, 48, 48)
        exact = correlations(images, search.faces.images[others])
        for place in np.flatnonzero(exact > correlation):
            yield NearDuplicate(
                row=int(search.faces.rows[others[place]]),
                split=search.split.value,
                training_row=int(training.rows[ours[place]]),
                correlation=round(float(exact[place]), 6),
                mirrored=bool(turned),
            )


def beside_half_square(means: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(N, 12, 12) to (N, 146), such that the product of a vector of side 0 and one of side 1 is -|p - q|² / 2."""
    flat = means.reshape(len(means), SIDE**2)
    half = -np.einsum("ij,ij->i", flat, flat) / 2  # (N,)
    columns = (half, np.ones_like(half))
    return np.column_stack([flat, columns[side], columns[1 - side]])


def unit(images: NDArray[np.uint8], dtype: Any) -> NDArray[Any]:
    """Mean 0 and norm 1 each, (N, 48, 48); a constant face, which has no direction, is all 0."""
    faces = images.astype(dtype)
    faces -= faces.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt(np.einsum("nij,nij->n", faces, faces))  # (N,)
    faces /= np.maximum(norms, 1e-6)[:, None, None]
    return faces


def block_means(faces: NDArray[np.float32]) -> NDArray[np.float32]:
    """An orthogonal projection, (N, 48, 48) to (N, 12, 12): each block's sum over the root of its pixels."""
    width = IMAGE_SIZE // SIDE
    return np.asarray(faces.reshape(-1, SIDE, width, SIDE, width).sum(axis=(2, 4)) / width)


def correlations(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the normalised correlation of each pair, (N, 48, 48) twice to (N,)."""
    return np.asarray(np.einsum("nij,nij->n", unit(first, np.float64), unit(second, np.float64)))


def write_near_duplicates(path: Path, pairs: Iterable[NearDuplicate]) -> None:
    rows = ((*pair[:3], f"{pair.correlation:.6f}", str(pair.mirrored).lower()) for pair in pairs)
    write_csv(path, NearDuplicate._fields, rows)


def read_near_duplicates(path: Path) -> list[NearDuplicate]:
    """Return what write_near_duplicates wrote."""
    return [NearDuplicate(*row) for row in pd.read_csv(path).itertuples(index=False)]


def count_near_duplicates(pairs: Iterable[NearDuplicate]) -> dict[str, dict[str, int]]:
    """Count per test split the faces with a near-duplicate in Training, and those whose best one is mirrored."""
    counts = {split.value: {"faces": 0, "mirrored": 0} for split in TEST_SPLITS}
    for pair in pairs:
        counts[pair.split]["faces"] += 1
        counts[pair.split]["mirrored"] += pair.mirrored
    return counts
