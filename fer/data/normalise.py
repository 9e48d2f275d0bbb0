"""The store that training reads, with normalisation statistics that are fitted on Training only.

`pixel`  the mean face and one scale, as report 000 subtracts the mean image
`global` one mean and one standard deviation over all pixels, as report 002
"""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fer.constants import IMAGE_SIZE, TEST_SPLITS, Split
from fer.errors import UserError
from fer.store import FITTED, Faces, Statistics, create_store, open_store, read_blocks


def normalise_store(clean: Path, out: Path, *, drop_leaked: bool) -> None:
    """Copy the store in blocks and add the statistics of what Training keeps.

    With `drop_leaked`, Training loses every face whose pixels also stand in PublicTest or PrivateTest.
    Raise UserError where that leaves no face.
    """
    with open_store(clean) as source, create_store(out, source_sha256=source.attrs["source_sha256"]) as writer:
        leaked = test_images(source) if drop_leaked else set()
        for split in Split:
            for block in read_blocks(source, split):
                writer.append(split, without(block, leaked) if split is Split.training else block)
        sums, squares, count = sum_training(writer.file)
        if not count:
            raise UserError(f"{clean}: Training holds no face: nothing to fit the normalisation on")
        for method in FITTED:
            writer.write_statistics(method, fit(method, sums, squares, count))


def sum_training(file: h5py.File) -> tuple[NDArray[np.int64], int, int]:
    """Return the sum of each pixel (48, 48), the sum of all squares and the number of Training's faces.

    Whole numbers are exact: no order of summation changes them.
    """
    sums = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.int64)
    squares = count = 0
    for faces in read_blocks(file, Split.training):
        sums += faces.images.sum(axis=0, dtype=np.int64)
        squares += int(np.square(faces.images, dtype=np.int64).sum())
        count += len(faces)
    return sums, squares, count


def fit(method: str, sums: NDArray[np.int64], squares: int, count: int) -> Statistics:
    """Return mean and std, float32 (48, 48), from the sums over `count` faces."""
    mean = sums / count  # (48, 48)
    if method == "global":
        mean = np.full(sums.shape, mean.mean())
    variance = squares / (count * sums.size) - (2 * mean * sums / count - mean**2).mean()
    return mean.astype(np.float32), np.full(sums.shape, np.sqrt(max(variance, 1e-12)), np.float32)


def test_images(source: h5py.File) -> set[bytes]:
    """Return the pixels of every test face, to look Training faces up in."""
    return {image.tobytes() for split in TEST_SPLITS for faces in read_blocks(source, split) for image in faces.images}


def without(faces: Faces, leaked: set[bytes]) -> Faces:
    if not leaked:
        return faces
    kept = np.array([image.tobytes() not in leaked for image in faces.images], dtype=np.bool_)
    return Faces(**{name: values[kept] for name, values in vars(faces).items()})
