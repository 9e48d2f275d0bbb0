"""Normalisation statistics, fitted on Training only, and the store that training reads.

`pixel`  the mean face and one scale, as report 000 subtracts the mean image
`global` one mean and one standard deviation over all pixels, as report 002
`image`  each face its own mean and standard deviation: nothing is fitted, mean 0 and std 1 are stored
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fer.data.store import Faces, create_store, open_store, read_blocks
from fer.emotions import IMAGE_SIZE, Split

Statistics = tuple[NDArray[np.float32], NDArray[np.float32]]


def normalise_store(clean: Path, out: Path, *, method: str, drop_leaked: bool) -> None:
    """Copies the store in blocks, fits on what Training keeps, and adds `mean`, `std` (48, 48) and `method`.

    With `drop_leaked`, Training loses every face whose pixels also stand in PublicTest or PrivateTest.
    """
    with open_store(clean) as source, create_store(out, source_sha256=source.attrs["source_sha256"]) as writer:
        leaked = test_digests(source) if drop_leaked else set()
        for split in Split:
            for block in read_blocks(source, split):
                writer.append(split, without(block, leaked) if split is Split.training else block)
        writer.file["mean"], writer.file["std"] = fit_training(writer.file, method)
        writer.file.attrs["method"] = method


def fit_training(file: h5py.File, method: str) -> Statistics:
    """Mean and std, float32 (48, 48), of the store's Training faces. Raises ValueError for no faces."""
    sums = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.int64)  # exact: no order of summation changes it
    squares = 0
    count = 0
    for faces in read_blocks(file, Split.training):
        sums += faces.images.sum(axis=0, dtype=np.int64)
        squares += int(np.square(faces.images, dtype=np.int64).sum())
        count += len(faces)
    return fit(method, sums, squares, count)


def fit(method: str, sums: NDArray[np.int64], squares: int, count: int) -> Statistics:
    """The same from sums over `count` faces."""
    if count == 0:
        raise ValueError("Training holds no face: nothing to fit the normalisation on")
    if method == "image":
        return np.zeros(sums.shape, np.float32), np.ones(sums.shape, np.float32)
    mean = sums / count  # (48, 48)
    if method == "global":
        mean = np.full(sums.shape, mean.mean())
    variance = squares / (count * sums.size) - (2 * mean * sums / count - mean**2).mean()
    return mean.astype(np.float32), np.full(sums.shape, np.sqrt(max(variance, 1e-12)), np.float32)


def test_digests(source: h5py.File) -> set[bytes]:
    """The pixels of every test face, to look Training faces up in."""
    return {image.tobytes() for image in test_images(source)}


def test_images(source: h5py.File) -> Iterator[NDArray[np.uint8]]:
    for split in (Split.public_test, Split.private_test):
        for faces in read_blocks(source, split):
            yield from faces.images


def without(faces: Faces, leaked: set[bytes]) -> Faces:
    if not leaked:
        return faces
    kept = np.array([image.tobytes() not in leaked for image in faces.images], dtype=np.bool_)
    return Faces(**{name: values[kept] for name, values in vars(faces).items()})
