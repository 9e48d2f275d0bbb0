"""Exact duplicates, and test faces that also stand in an earlier split.

FER2013 was collected by image search, so one picture can occur under several queries: report 002 cleans it of
constant images only, and no report removes copies. Images count as equal when all their 2304 bytes are;
mirrored or slightly shifted copies are not found.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import Split
from fer.store import StoreWriter

DIGEST = np.dtype("S16")  # two of a billion different images share 16 bytes with a probability below 1e-20
SPLITS = tuple(Split)


@dataclass(frozen=True)
class Audit:
    """What the audit counts, all of it in images but for the groups."""

    duplicate_groups: int  # sets of two or more equal images, over all splits
    redundant_images: int  # images beyond the first of each group
    conflicting_groups: int  # groups whose images do not all have one label
    in_training: dict[str, int]  # PublicTest and PrivateTest faces that also stand in Training
    in_public_test: dict[str, int]  # PrivateTest faces that also stand in PublicTest
    in_earlier_split: dict[str, int]  # faces that stand in either: what a leak-free test leaves out

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Flags:
    """One split's leakage flags, in the order of its rows."""

    in_training: NDArray[np.bool_]  # (N,)
    in_public_test: NDArray[np.bool_]  # (N,)

    @property
    def in_any(self) -> NDArray[np.bool_]:
        """Faces that stand in an earlier split."""
        return self.in_training | self.in_public_test


class Auditor:
    """See every face once, block by block, and keep 18 bytes of it: its digest, its label and its split."""

    def __init__(self) -> None:
        self._digests: list[NDArray[np.bytes_]] = []
        self._labels: list[NDArray[np.uint8]] = []
        self._usages: list[NDArray[np.uint8]] = []

    def add(self, images: NDArray[np.uint8], labels: NDArray[np.uint8], usages: NDArray[np.uint8]) -> None:
        """Add a block: uint8 (N, 48, 48), Emotion integers (N,), and indices into tuple(Split) (N,)."""
        self._digests.append(digests(images))
        self._labels.append(labels)
        self._usages.append(usages)

    def __add__(self, other: "Auditor") -> "Auditor":
        """Return both sets of faces; the other's come after these."""
        both = Auditor()
        both._digests = self._digests + other._digests
        both._labels = self._labels + other._labels
        both._usages = self._usages + other._usages
        return both

    def audit(self) -> Audit:
        """Return the counts over every face that was added."""
        group, sizes = self._groups()
        labels = np.concatenate(self._labels) if self._labels else np.empty(0, np.uint8)
        lowest, highest = np.full(len(sizes), 255, np.uint8), np.zeros(len(sizes), np.uint8)
        np.minimum.at(lowest, group, labels)
        np.maximum.at(highest, group, labels)
        flags = self.flags()
        later = (Split.public_test, Split.private_test)
        return Audit(
            duplicate_groups=int(np.count_nonzero(sizes > 1)),
            redundant_images=int((sizes - 1).sum()),
            conflicting_groups=int(np.count_nonzero(lowest < highest)),
            in_training={split.value: int(flags[split].in_training.sum()) for split in later},
            in_public_test={split.value: int(flags[split].in_public_test.sum()) for split in later[1:]},
            in_earlier_split={split.value: int(flags[split].in_any.sum()) for split in later},
        )

    def flags(self) -> dict[Split, Flags]:
        """Return the flags of every split, in the order in which its faces were added."""
        group, sizes = self._groups()
        usages = np.concatenate(self._usages) if self._usages else np.empty(0, np.uint8)
        in_split = np.zeros((len(SPLITS), len(sizes)), np.bool_)
        in_split[usages, group] = True
        of_split = {split: group[usages == index] for index, split in enumerate(SPLITS)}
        return {
            split: Flags(
                in_training=in_split[0, faces] & (split is not Split.training),
                in_public_test=in_split[1, faces] & (split is Split.private_test),
            )
            for split, faces in of_split.items()
        }

    def _groups(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The group of each face (N,), and the size of each group (G,)."""
        every = np.concatenate(self._digests) if self._digests else np.empty(0, DIGEST)
        _, group, sizes = np.unique(every, return_inverse=True, return_counts=True)
        return group, sizes


def digests(images: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Return BLAKE2b of each image's bytes, 16 of it: uint8 (N, 48, 48) to S16 (N,)."""
    size = DIGEST.itemsize
    hashed = [hashlib.blake2b(image, digest_size=size).digest() for image in np.ascontiguousarray(images)]
    # S16 drops trailing zero bytes, which cannot make two digests equal: all of them have the same length.
    return np.array(hashed, DIGEST)


def mark_leaks(writer: StoreWriter, flags: dict[Split, Flags]) -> None:
    """Write the flags into a store that has not yet its final name."""
    for split, marks in flags.items():
        writer.mark(split, in_training=marks.in_training, in_public_test=marks.in_public_test)
