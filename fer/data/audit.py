"""Exact duplicates, and test faces that also stand in an earlier split.

FER2013 was collected by image search, so one picture can occur under several queries: report 002 cleans it of
constant images only, and no report removes copies. Images count as equal when all their 2304 bytes are;
mirrored or slightly shifted copies are not found.
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer.constants import Split

DIGEST_BYTES = 8  # two of a million different images share them with a probability below 1e-7
SPLITS = tuple(Split)


def seen(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], usages: NDArray[np.uint8], *, kept: bool = True
) -> pd.DataFrame:
    """Return what the audit needs of faces, eleven bytes each: digest, label, usage, and whether ingest keeps them.

    Args:
        images: (N, 48, 48).
        labels: Emotion integers, (N,).
        usages: indices into tuple(Split), (N,).
    """
    return pd.DataFrame({"digest": digests(images), "label": labels, "usage": usages, "kept": kept})


def digests(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of BLAKE2b of each image: uint8 (N, 48, 48) to (N,)."""
    hashed = (hashlib.blake2b(image, digest_size=DIGEST_BYTES).digest() for image in np.ascontiguousarray(images))
    return np.frombuffer(b"".join(hashed), np.uint64)


def flags(faces: pd.DataFrame) -> pd.DataFrame:
    """Return `in_training` and `in_public_test` of each face, (N,): whether an earlier split holds it."""
    training, public_test = (faces.digest[faces.usage == place] for place in range(2))
    return pd.DataFrame(
        {
            "in_training": (faces.usage > 0) & faces.digest.isin(training),
            "in_public_test": (faces.usage > 1) & faces.digest.isin(public_test),
        }
    )


def audit(faces: pd.DataFrame) -> dict[str, Any]:
    """Return the counts, all of them in images but for the groups of equal ones."""
    groups, marks = faces.groupby("digest"), flags(faces)
    sizes = groups.size()

    def count(marked: pd.Series, first: int) -> dict[str, int]:
        return {SPLITS[place].value: int(marked[faces.usage == place].sum()) for place in range(first, len(SPLITS))}

    return {
        "duplicate_groups": int((sizes > 1).sum()),
        "redundant_images": int((sizes - 1).sum()),
        "conflicting_groups": int((groups.label.nunique() > 1).sum()),
        "in_training": count(marks.in_training, 1),
        "in_public_test": count(marks.in_public_test, 2),
        "in_earlier_split": count(marks.in_training | marks.in_public_test, 1),
    }
