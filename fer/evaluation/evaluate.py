"""One system's seeds: every test face predicted once, then all that is measured and drawn from the predictions."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer.data.near_duplicates import read_near_duplicates
from fer.data.store import open_store, read_split
from fer.data.votes import Votes, read_votes
from fer.determinism import prepare
from fer.emotions import Split
from fer.evaluation import figures, plots_data
from fer.evaluation.calibration import measure_calibration, pooled_reliability
from fer.evaluation.crowd import crowds_of, measure_against_crowd
from fer.evaluation.leaks import measure_leaks
from fer.evaluation.metrics import confusion, measure
from fer.evaluation.plots_data import EpochScore
from fer.evaluation.predict import EvaluatedFaces, Runtime, predict_once
from fer.evaluation.predictions import TEST_SPLITS, Predictions, write_predictions
from fer.files import sha256_of, write_json
from fer.not_run import keep_only


@dataclass(frozen=True)
class Sources:
    """What one system's evaluation reads: its trained seeds, and what ingest and acquire know of the faces."""

    models: Path
    store: Path
    near_duplicates: Path
    votes: Path


@dataclass(frozen=True)
class Places:
    """Where one system's evaluation goes: folders of the stage's outs."""

    predictions: Path
    metrics: Path
    plots: Path


@dataclass(frozen=True)
class Settings:
    """How to evaluate."""

    resamples: int
    bootstrap_seed: int
    runtime: Runtime


def evaluate_system(sources: Sources, places: Places, settings: Settings) -> None:
    """Writes predictions, metrics and plots of every {seed}.safetensors in `sources.models`.

    Raises WeightsError, and VotesError for votes that are not those of these faces.
    """
    prepare(settings.runtime.threads)
    faces, votes = read_faces(sources), read_votes(sources.votes)
    weights = sorted(sources.models.glob("*.safetensors"), key=lambda path: int(path.stem))
    keep_only(places.predictions, {path.name for path in weights})
    runs, history = [], []
    for path in weights:
        kept = places.predictions / path.name
        predicted = predict_once(path, faces, kept, settings.runtime)
        write_predictions(kept, predicted.splits, predicted.provenance | {"predicted_from": predicted.key})
        content = measure_seed(predicted.splits, votes, settings) | {"provenance": predicted.provenance}
        write_json(places.metrics / f"{path.stem}.json", content)
        runs.append(predicted.splits)
        history += read_epochs(path.with_suffix(".csv"), int(path.stem))
    draw(places.plots, runs, history)


def read_faces(sources: Sources) -> EvaluatedFaces:
    near = [pair.row for pair in read_near_duplicates(sources.near_duplicates)]
    with open_store(sources.store) as file:
        splits = {split: read_split(file, split) for split in TEST_SPLITS}
    return EvaluatedFaces(
        splits, sha256_of(sources.store), {split: np.isin(faces.rows, near) for split, faces in splits.items()}
    )


def measure_seed(splits: Mapping[Split, Predictions], votes: Votes | None, settings: Settings) -> dict[str, Any]:
    """All that is measured on one seed's predictions; `crowd` is None without votes."""
    crowds = crowds_of(votes, splits)
    private = Split.private_test
    return measure(splits, resamples=settings.resamples, bootstrap_seed=settings.bootstrap_seed) | {
        "leaks": measure_leaks(splits),
        "calibration": measure_calibration(splits),
        "crowd": measure_against_crowd(splits[private], crowds[private]) if crowds else None,
    }


def read_epochs(path: Path, seed: int) -> list[EpochScore]:
    """Both curves of one seed's history.csv, as the trainer wrote it."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            EpochScore(seed, int(row["epoch"]), split, float(row[f"{split}_loss"]), float(row[f"{split}_accuracy"]))
            for row in csv.DictReader(file)
            for split in ("train", "validation")
        ]


def draw(folder: Path, runs: Sequence[Mapping[Split, Predictions]], history: list[EpochScore]) -> None:
    counts = np.sum([confusion(run[Split.private_test]) for run in runs], axis=0)
    bins = pooled_reliability(runs)
    plots_data.write_curve(folder / "loss.csv", history, "loss")
    plots_data.write_curve(folder / "accuracy.csv", history, "accuracy")
    plots_data.write_confusion(folder / "confusion.csv", counts)
    plots_data.write_reliability(folder / "reliability.csv", bins)
    figures.curves(history, folder / "pictures" / "curves.png")
    figures.confusion(counts, folder / "pictures" / "confusion.png")
    figures.class_accuracy(counts, folder / "pictures" / "class_accuracy.png")
    figures.reliability(bins, folder / "pictures" / "reliability.png")
