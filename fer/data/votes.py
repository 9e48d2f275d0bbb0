"""The crowd's votes on each face, in the format of FER+, one line for each row of the FER2013 CSV and in its order.

Barsoum, Zhang, Canton Ferrer and Zhang, "Training deep networks for facial expression recognition with crowd-sourced
label distribution" (ICMI 2016): ten people a face, who might also say contempt, unknown, or not a face (NF). Their
file, fer2013new.csv, is under the MIT licence. The votes measure; nothing is trained on them. A file without lines
stands for a dataset without votes.
"""

import csv
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer.emotions import Emotion
from fer.errors import UserError
from fer.files import replacing

ENVIRONMENT = "FERPLUS_CSV"  # where params.yaml names no file: a path is a machine's own
DOWNLOAD = "download"
URL = "https://raw.githubusercontent.com/microsoft/FERPlus/master/fer2013new.csv"
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
# The seven emotions in FER2013's order, then the answers that FER2013 does not have.
ORDER = (*(OF_EMOTION[emotion] for emotion in Emotion), "contempt", "unknown", "NF")


class VotesError(UserError):
    """A file that does not hold the crowd's votes; the message names the file and the line."""


@dataclass(frozen=True)
class Votes:
    """Every row's votes."""

    usages: NDArray[np.str_]  # (R,) Training, PublicTest or PrivateTest
    counts: NDArray[np.uint8]  # (R, 10) in ORDER


def acquire_votes(source: str | None, out: Path) -> None:
    """Writes the votes to `out`, or its header alone where there are none.

    `source` is a file's path, or `download`; with None the environment's FERPLUS_CSV is the path, if it is set.
    Raises VotesError.
    """
    source = source or os.environ.get(ENVIRONMENT)
    if source is None:
        write_votes(out, [])
        return
    with replacing(out) as temporary:
        temporary.write_bytes(_download() if source == DOWNLOAD else _content(Path(source)))
        read_votes(temporary, named=Path(source))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VotesError(f"{path}: {error.strerror}; expected FER+'s fer2013new.csv") from None


def _download() -> bytes:
    try:
        with urllib.request.urlopen(URL, timeout=60) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise VotesError(f"{URL}: {error}; get the file by hand and set {ENVIRONMENT} to its path") from None
    return content


def write_votes(path: Path, lines: Iterable[tuple[str, Iterable[int]]]) -> None:
    """A line for each row: its Usage and its ten counts, in the order of CHOICES."""
    with replacing(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((usage, "", *counts) for usage, counts in lines)


def read_votes(path: Path, *, named: Path | None = None) -> Votes | None:
    """None for a file without lines. Raises VotesError, in the name of `named` if given."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        if tuple(next(lines, ())) != HEADER:
            raise VotesError(f"{named or path}: no FER+ votes; expected the header {','.join(HEADER)}")
        columns = [HEADER.index(choice) for choice in ORDER]
        usages, counts = [], []
        for number, line in enumerate(lines, start=2):
            if len(line) != len(HEADER) or not all(line[column].isdecimal() for column in columns):
                raise VotesError(f"{named or path}: line {number}: expected {len(HEADER)} fields, ten of them counts")
            usages.append(line[0])
            counts.append([min(int(line[column]), 255) for column in columns])
    return Votes(np.array(usages), np.array(counts, np.uint8)) if counts else None
