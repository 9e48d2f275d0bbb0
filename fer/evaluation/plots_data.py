"""The tidy tables behind `dvc plots show` and `dvc plots diff`; the templates in .dvc/plots name their columns.

loss.csv           seed,epoch,split,loss            template curves: x epoch, y loss
accuracy.csv       seed,epoch,split,accuracy        template curves: x epoch, y accuracy
confusion.csv      actual,predicted,share,faces     template confusion_share: x predicted, y actual
classes.csv        split,emotion,faces              template classes: x emotion, y faces
reliability.csv    scaling,bin,confidence,accuracy,faces   template reliability: x confidence, y accuracy
leaks.csv          system,group,accuracy,low,high,faces    template leaks: x accuracy, y system
agreement.csv      system,votes,accuracy,faces      template agreement: x votes, y accuracy
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer.emotions import EMOTION_NAMES, Split
from fer.files import write_text
from fer.not_run import keep_only, leave_note

if TYPE_CHECKING:  # scipy takes longer to import than leaving a note does to write
    from fer.evaluation.calibration import Reliability


class EpochScore(NamedTuple):
    """One seed's scores after one epoch, on the faces it trains on or those that select the epoch (PublicTest)."""

    seed: int
    epoch: int
    split: Literal["train", "validation"]
    loss: float
    accuracy: float


def write_curve(path: Path, scores: Iterable[EpochScore], metric: Literal["loss", "accuracy"]) -> None:
    """Every seed's curve of one metric; the template draws their mean as a line and their range as a band."""
    rows = [(*score[:3], f"{getattr(score, metric):.6f}") for score in sorted(scores)]
    write_csv(path, (*EpochScore._fields[:3], metric), rows)


def write_confusion(path: Path, counts: NDArray[np.int64]) -> None:
    """49 rows; `share` is the cell's part of its row, `faces` the count.

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
    """Each row divided by its sum, a row without faces all zero, (7, 7)."""
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def write_class_counts(path: Path, labels: Mapping[Split, NDArray[np.uint8]]) -> None:
    """A row for each split and emotion, those without faces too.

    Args:
        labels: per split, one class a face, (N,).
    """
    rows = [
        (split.value, EMOTION_NAMES[emotion], faces)
        for split, of_split in labels.items()
        for emotion, faces in enumerate(class_counts(of_split))
    ]
    write_csv(path, ("split", "emotion", "faces"), rows)


def class_counts(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Faces of each emotion, (7,)."""
    return np.bincount(labels, minlength=len(EMOTION_NAMES)).astype(np.int64)


def write_reliability(path: Path, bins: Mapping[str, "Reliability"]) -> None:
    """A row for each bin that has faces, of the network as trained and temperature scaled."""
    rows = [
        (scaling, number, f"{confidence:.6f}", f"{accuracy:.6f}", faces)
        for scaling, of in bins.items()
        for number, (faces, confidence, accuracy) in enumerate(zip(*of, strict=True), start=1)
        if faces
    ]
    write_csv(path, ("scaling", "bin", "confidence", "accuracy", "faces"), rows)


def write_leaks(path: Path, summary: Mapping[str, Any]) -> None:
    """A row for each measured system and group of PrivateTest's faces that is not empty."""
    rows = [
        (
            system,
            group,
            *(f"{scores[name]:.6f}" for name in ("accuracy", "accuracy_low", "accuracy_high")),
            scores["faces"],
        )
        for system, entry in summary["systems"].items()
        if entry["seeds"]
        for group, scores in entry["leaks"].items()
        if scores["faces"]
    ]
    write_csv(path, ("system", "group", "accuracy", "low", "high", "faces"), rows)


def write_agreement(path: Path, summary: Mapping[str, Any]) -> None:
    """A row for each measured system and number of voters that made the crowd's choice; none without votes."""
    rows = [
        (system, level.replace("_", " "), f"{scores['accuracy_label']:.6f}", scores["faces"])
        for system, entry in summary["systems"].items()
        if entry["seeds"] and entry["crowd"]
        for level, scores in entry["crowd"]["by_votes"].items()
        if scores["faces"]
    ]
    write_csv(path, ("system", "votes", "accuracy", "faces"), rows)


def note_not_run(predictions: Path, metrics: Path, plots: Path) -> None:
    """The outs that DVC expects, empty, for a system that this dataset does not run."""
    keep_only(predictions, set())
    leave_note(predictions, metrics, plots / "pictures")
    write_reliability(plots / "reliability.csv", {})
    write_curve(plots / "loss.csv", [], "loss")
    write_curve(plots / "accuracy.csv", [], "accuracy")
    write_confusion(plots / "confusion.csv", np.zeros((7, 7), np.int64))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
