"""Faces in batches: how many a network sees at once bounds the memory and decides the last bits of a map."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

BATCH = 32


def batches(*tensors: Tensor) -> Iterator[tuple[Any, ...]]:
    """Yield the tensors' next BATCH faces."""
    yield from zip(*(torch.split(tensor, BATCH) for tensor in tensors), strict=True)
