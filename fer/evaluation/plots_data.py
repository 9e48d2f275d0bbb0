"""One system's tables behind `dvc plots show` and `dvc plots diff`; the templates in .dvc/plots name their columns.

loss.csv           seed,epoch,split,loss            template curves: x epoch, y loss
accuracy.csv       seed,epoch,split,accuracy        template curves: x epoch, y accuracy
confusion.csv      actual,predicted,share,faces     template confusion_share: x predicted, y actual
reliability.csv    scaling,bin,confidence,accuracy,faces   template reliability: x confidence, y accuracy
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES
from fer.evaluation.calibration import Reliability
from fer.files import write_csv


class EpochScore(NamedTuple):
    """One seed's scores after one epoch, on the faces it trains on or those that select the epoch (PublicTest)."""

    seed: int
    epoch: int
    split: Literal["train", "validation"]
    loss: float
    accuracy: float


def write_curve(path: Path, scores: Iterable[EpochScore], metric: Literal["loss", "accuracy"]) -> None:
    """Write every seed's curve of one metric; the template draws their mean as a line and their range as a band."""
    rows = [(*score[:3], f"{getattr(score, metric):.6f}") for score in sorted(scores)]
    write_csv(path, (*EpochScore._fields[:3], metric), rows)


def mean_curve(history: Iterable[EpochScore], split: str, metric: str) -> list[tuple[int, float]]:
    """Return each epoch with the metric's mean over the seeds that reached it."""
    found: dict[int, list[float]] = {}
    for score in history:
        if score.split == split:
            found.setdefault(score.epoch, []).append(getattr(score, metric))
    return [(epoch, float(np.mean(found[epoch]))) for epoch in sorted(found)]


def write_confusion(path: Path, counts: NDArray[np.int64]) -> None:
    """Write 49 rows; `share` is the cell's part of its row, `faces` the count.

    Args:
        counts: faces, (7, 7), actual by predicted; of several seeds, their sum.
    """
    shares = row_shares(counts)
    rows = [
        (EMOTION_NAMES[actual], EMOTION_NAMES[predicted], f"{shares[actual, predicted]:.6f}", faces)
        for (actual, predicted), faces in np.ndenumerate(counts)
    ]
    write_csv(path, ("actual", "predicted", "share", "faces"), rows)


def row_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each row divided by its sum, a row without faces all zero, (7, 7)."""
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def write_reliability(path: Path, bins: Mapping[str, Reliability]) -> None:
    """Write a row for each bin that has faces, of the network as trained and temperature scaled."""
    rows = [
        (scaling, number, f"{confidence:.6f}", f"{accuracy:.6f}", faces)
        for scaling, of in bins.items()
        for number, (faces, confidence, accuracy) in enumerate(zip(*of, strict=True), start=1)
        if faces
    ]
    write_csv(path, ("scaling", "bin", "confidence", "accuracy", "faces"), rows)
