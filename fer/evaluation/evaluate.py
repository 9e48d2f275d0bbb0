"""One system's seeds: all that is measured and drawn from their predictions, which is all that is read."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer.constants import Split
from fer.evaluation import figures, plots_data
from fer.evaluation.calibration import mean_errors, measure_calibration, pooled_reliability
from fer.evaluation.leaks import measure_leaks
from fer.evaluation.metrics import LEAK_FREE, confusion, measure
from fer.evaluation.plots_data import EpochScore
from fer.files import rounded, write_json
from fer.predictions.format import Splits, read_seeds


@dataclass(frozen=True)
class Places:
    """Where one system's evaluation goes."""

    headline: Path  # a file: the five numbers that `dvc metrics` shows
    seeds: Path  # a folder: everything, a file a seed
    plots: Path


def evaluate_system(predictions: Path, places: Places, *, resamples: int, bootstrap_seed: int) -> None:
    """Write the metrics and plots of every seed in `predictions`.

    Raises:
        PredictionsError: no predictions.
    """
    runs, provenances = read_seeds(predictions)
    measured = {
        seed: measure_seed(splits, resamples=resamples, bootstrap_seed=bootstrap_seed) for seed, splits in runs.items()
    }
    for seed, content in measured.items():
        write_json(places.seeds / f"{seed}.json", content | {"provenance": provenances[seed]})
    write_json(places.headline, headline(list(measured.values())))
    history = [score for seed in runs for score in read_epochs(predictions / f"{seed}.csv", seed)]
    errors = mean_errors([content["calibration"] for content in measured.values()])
    draw(places.plots, list(runs.values()), history, errors)


def measure_seed(splits: Splits, *, resamples: int, bootstrap_seed: int) -> dict[str, Any]:
    """Return all that is measured on one seed's predictions."""
    return measure(splits, resamples=resamples, bootstrap_seed=bootstrap_seed) | {
        "leaks": measure_leaks(splits),
        "calibration": measure_calibration(splits),
    }


def headline(measured: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the five numbers that `dvc metrics diff` shows, means over seeds, of what `measure_seed` gives."""
    places = {
        "PublicTest": (Split.public_test, "accuracy"),
        "PrivateTest": (Split.private_test, "accuracy"),
        "leak_free": (LEAK_FREE, "accuracy"),
        "macro_f1": (Split.private_test, "macro_f1"),
        "log_loss": (Split.private_test, "log_loss"),
    }
    means = {
        name: float(np.mean([run[test_set][metric] for run in measured])) for name, (test_set, metric) in places.items()
    }
    return {name: rounded(value, 4) for name, value in means.items()}


def read_epochs(path: Path, seed: int) -> list[EpochScore]:
    """Return both curves of one seed's history, as the trainer wrote it."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            EpochScore(seed, int(row["epoch"]), split, float(row[f"{split}_loss"]), float(row[f"{split}_accuracy"]))
            for row in csv.DictReader(file)
            for split in ("train", "validation")
        ]


def draw(folder: Path, runs: Sequence[Splits], history: Sequence[EpochScore], errors: Mapping[str, float]) -> None:
    counts = confusion(*(run[Split.private_test] for run in runs))
    bins = pooled_reliability(runs)
    plots_data.write_curve(folder / "loss.csv", history, "loss")
    plots_data.write_curve(folder / "accuracy.csv", history, "accuracy")
    plots_data.write_confusion(folder / "confusion.csv", counts)
    plots_data.write_reliability(folder / "reliability.csv", bins)
    figures.curves(history, folder / "pictures" / "curves.png")
    figures.confusion(counts, folder / "pictures" / "confusion.png")
    figures.class_accuracy(counts, folder / "pictures" / "class_accuracy.png")
    figures.reliability(bins, errors, folder / "pictures" / "reliability.png")
