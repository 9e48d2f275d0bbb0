"""FER+: ten annotators' votes on each face, a line for each row of the FER2013 CSV and in its order.

Barsoum, Zhang, Canton Ferrer and Zhang, "Training deep networks for facial expression recognition with crowd-sourced
label distribution" (ICMI 2016). Annotators may also answer contempt, unknown, or not a face (NF). The file,
fer2013new.csv, is under the MIT licence. The votes measure; nothing is trained on them. A file with nothing but its
header stands for faces without votes.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer.constants import Emotion
from fer.errors import UserError

CHOICES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
HEADER = ("Usage", "Image name", *CHOICES)
OF_EMOTION = {
    Emotion.anger: "anger",
    Emotion.disgust: "disgust",
    Emotion.fear: "fear",
    Emotion.happy: "happiness",
    Emotion.sad: "sadness",
    Emotion.surprise: "surprise",
    Emotion.neutral: "neutral",
}
LEAST_AGREEMENT = 0.4  # of FER2013's labels the most frequent vote is 0.64; of faces in another order, 0.17 to 0.2
# The seven emotions in FER2013's order, then the answers that FER2013 does not have.
ORDER = (*(OF_EMOTION[emotion] for emotion in Emotion), "contempt", "unknown", "NF")


class VotesError(UserError):
    """A file that does not hold FER+ votes, or not those of these faces; the message names the file and the line."""


@dataclass(frozen=True)
class Votes:
    """Every row's votes."""

    usages: NDArray[np.str_]  # (R,) Training, PublicTest or PrivateTest
    counts: NDArray[np.uint8]  # (R, 10) in ORDER

    def lines(self) -> Iterator[tuple[str, list[int]]]:
        """Each row's Usage and its ten counts in the order of CHOICES, as the file has them."""
        columns = [ORDER.index(choice) for choice in CHOICES]
        yield from zip(self.usages.tolist(), self.counts[:, columns].tolist(), strict=True)


def read_votes(path: Path, *, named: Path | str | None = None) -> Votes | None:
    """Return the votes, None for a header alone. Raise VotesError, in the name of `named` if given."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:  # the names of images do not count
        lines = csv.reader(file)
        if tuple(next(lines, ())) != HEADER:
            raise VotesError(f"{named or path}: no FER+ votes; expected the header {','.join(HEADER)}")
        columns = [HEADER.index(choice) for choice in ORDER]
        usages, counts = [], []
        try:
            for number, line in enumerate(lines, start=2):
                if len(line) != len(HEADER) or not all(line[column].isdecimal() for column in columns):
                    raise VotesError(
                        f"{named or path}: line {number}: expected {len(HEADER)} fields, ten of them counts"
                    )
                usages.append(line[0])
                counts.append([min(int(line[column]), 255) for column in columns])
        except csv.Error as error:  # a quotation mark that is never closed
            raise VotesError(f"{named or path}: no FER+ votes ({error})") from None
    return Votes(np.array(usages), np.array(counts, np.uint8)) if counts else None
