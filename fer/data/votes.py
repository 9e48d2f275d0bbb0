"""FER+ votes beside the faces: writing them, and refusing those of other faces. fer/ferplus.py reads them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fer.constants import Split
from fer.data.fer2013 import read_labels
from fer.ferplus import HEADER, LEAST_AGREEMENT, Votes, VotesError
from fer.files import write_csv


def is_votes(head: bytes) -> bool:
    """Whether a file begins with FER+'s header."""
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0]
    return first.rstrip(b"\r").decode("ascii", "replace") == ",".join(HEADER)


def write_votes(path: Path, lines: Iterable[tuple[str, Iterable[int]]]) -> None:
    """Write a line for each row: its Usage and its ten counts, in the order of CHOICES."""
    write_csv(path, HEADER, ((usage, "", *counts) for usage, counts in lines))


def require_same_faces(votes: Votes, raw: Path, *, named: Path) -> None:
    """Raise VotesError, in the name of `named`, where the votes cannot be on the rows of the CSV `raw`.

    Rows and splits must be the same, and the most frequent vote must be the label as often as for FER2013's own faces,
    not as seldom as for faces in another order.
    """
    rows = list(read_labels(raw))
    labels, usages = [label for label, _ in rows], [usage for _, usage in rows]
    ways_out = "take it out of data/source, or use fer2013.csv, whose order FER+ has"
    if len(labels) != len(votes.usages):
        raise VotesError(f"{named}: votes on {len(votes.usages):,} rows, but there are {len(labels):,}\n{ways_out}")
    for row, (usage, voted) in enumerate(zip(usages, votes.usages, strict=True)):
        if usage in list(Split) and usage != voted:
            raise VotesError(f"{named}: row {row} is of {voted}, but the face there is of {usage}\n{ways_out}")
    known = np.array([label is not None for label in labels])
    chosen = votes.counts[known].argmax(axis=1)  # (K,) places in ORDER
    agreement = (chosen == np.array([label for label in labels if label is not None])).mean() if known.any() else 0.0
    if agreement < LEAST_AGREEMENT:
        raise VotesError(
            f"{named}: not on these faces: the most frequent vote is the label of {agreement:.0%} of the rows "
            f"(of FER2013's own, 64 %)\n{ways_out}; images are seldom in its order"
        )
