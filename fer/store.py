"""The HDF5 store that ingest and normalise write and everything after them reads.

One group a split (Training, PublicTest, PrivateTest), each with
    images  uint8 (N, 48, 48)     grey faces
    labels  uint8 (N,)            Emotion integers
    rows    int64 (N,)            data row of the CSV, 0 for the first one after the header
    in_training     bool (N,)     a PublicTest or PrivateTest face whose pixels also stand in Training
    in_public_test  bool (N,)     a PrivateTest face whose pixels also stand in PublicTest
and, once normalise has run, `statistics/{pixel,global}/{mean,std}`, float32 (48, 48), fitted on Training only.
The file's attribute `source_sha256` is the hash of the CSV it came from.
Images are chunked, so that reading and writing in blocks keeps memory flat.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fer.constants import IMAGE_SIZE, Split
from fer.errors import UserError
from fer.files import atomic_write

CHUNK = 256
FIELDS = {
    "images": (IMAGE_SIZE, IMAGE_SIZE),
    "labels": (),
    "rows": (),
    "in_training": (),
    "in_public_test": (),
}
DTYPES = {
    "images": np.uint8,
    "labels": np.uint8,
    "rows": np.int64,
    "in_training": np.bool_,
    "in_public_test": np.bool_,
}
FITTED = ("pixel", "global")  # normalisations whose mean and std come from Training

Statistics = tuple[NDArray[np.float32], NDArray[np.float32]]  # mean and std, (48, 48) each


@dataclass(frozen=True)
class Faces:
    """One split, or a block of one."""

    images: NDArray[np.uint8]  # (N, 48, 48)
    labels: NDArray[np.uint8]  # (N,)
    rows: NDArray[np.int64]  # (N,)
    in_training: NDArray[np.bool_]  # (N,)
    in_public_test: NDArray[np.bool_]  # (N,)

    def __len__(self) -> int:
        return len(self.labels)


class StoreError(UserError):
    """A file that is not a store of this project."""


class StoreWriter:
    """Append blocks of faces to a store; the dataset grows by whole blocks."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        for split in Split:
            group = file.create_group(split)
            for name, shape in FIELDS.items():
                group.create_dataset(
                    name,
                    shape=(0, *shape),
                    maxshape=(None, *shape),
                    dtype=DTYPES[name],
                    chunks=(CHUNK if shape else 16 * CHUNK, *shape),
                    track_times=False,
                )

    def append(self, split: Split, faces: Faces) -> None:
        group = self.file[split]
        old = len(group["labels"])
        for name in FIELDS:
            values = getattr(faces, name)
            group[name].resize(old + len(values), axis=0)
            group[name][old:] = values

    def mark(self, split: Split, *, in_training: NDArray[np.bool_], in_public_test: NDArray[np.bool_]) -> None:
        """Overwrite a whole split's leakage flags, (N,) each, which are known once every row was seen."""
        self.file[split]["in_training"][:] = in_training
        self.file[split]["in_public_test"][:] = in_public_test

    def write_statistics(self, method: str, statistics: Statistics) -> None:
        """Store mean and std, float32 (48, 48), of one of FITTED."""
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.file.create_dataset(f"statistics/{method}/{name}", data=values, track_times=False)


@contextmanager
def create_store(path: Path, *, source_sha256: str) -> Iterator[StoreWriter]:
    """Yield a writer whose file appears under `path` only when the block ends without an error."""
    with atomic_write(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        file.attrs["source_sha256"] = source_sha256
        yield StoreWriter(file)


@contextmanager
def open_store(path: Path) -> Iterator[h5py.File]:
    """Open a store to read. Raise StoreError for a file without the three splits."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise StoreError(f"{path}: no HDF5 file ({error})") from None
    with file:
        missing = [split for split in Split if split not in file]
        if missing:
            raise StoreError(f"{path}: no group {', '.join(missing)}; was it written by stages/ingest.py?")
        yield file


def read_split(file: h5py.File, split: Split) -> Faces:
    """Return a whole split in memory (83 MB for the 35,887 faces of FER2013)."""
    group = file[split]
    return Faces(**{name: group[name][:] for name in FIELDS})


def read_blocks(file: h5py.File, split: Split, block: int = 16 * CHUNK) -> Iterator[Faces]:
    """Yield a split in blocks of at most `block` faces."""
    group = file[split]
    for start in range(0, len(group["labels"]), block):
        yield Faces(**{name: group[name][start : start + block] for name in FIELDS})


def read_statistics(file: h5py.File, method: str) -> Statistics:
    """Return mean and std, float32 (48, 48): of one of FITTED, or 0 and 1 for `image`, by which nothing is fitted.

    Raise StoreError for a store without them.
    """
    if method == "image":
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32), np.ones((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    group = f"statistics/{method}"
    if group not in file:
        raise StoreError(f"{file.filename}: no {group}; was it written by stages/normalise.py?")
    return file[f"{group}/mean"][:], file[f"{group}/std"][:]
