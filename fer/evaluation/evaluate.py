"""One system's seeds: every test face predicted once, then all that is measured and drawn from the predictions."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer.data.store import Faces, open_store, read_split
from fer.determinism import describe_device, pick_device, pick_precision, prepare
from fer.emotions import Split
from fer.evaluation import figures, plots_data
from fer.evaluation.metrics import confusion, measure
from fer.evaluation.plots_data import EpochScore
from fer.evaluation.predictions import TEST_SPLITS, Predictions, write_predictions
from fer.files import write_json
from fer.models.classifier import Classifier, load_classifier, predict


@dataclass(frozen=True)
class Places:
    """Where one system's evaluation goes: folders of the stage's outs."""

    predictions: Path
    metrics: Path
    plots: Path


@dataclass(frozen=True)
class Settings:
    """How to evaluate; precision and device as in params.yaml's train block."""

    resamples: int
    bootstrap_seed: int
    batch_size: int
    device: str
    precision: str
    threads: int


def evaluate_system(models: Path, store: Path, places: Places, settings: Settings) -> None:
    """Writes predictions, metrics and plots of every {seed}.safetensors in `models`."""
    prepare(settings.threads)
    with open_store(store) as file:
        faces = {split: read_split(file, split) for split in TEST_SPLITS}
    counts, history = [], []
    for weights in sorted(models.glob("*.safetensors"), key=lambda path: int(path.stem)):
        classifier, provenance = load_classifier(weights)
        predictions = predict_splits(classifier, faces, settings)
        provenance["evaluated_on"] = describe_device(pick_device(settings.device))
        write_predictions(places.predictions / weights.name, predictions, provenance)
        measured = measure(predictions, resamples=settings.resamples, bootstrap_seed=settings.bootstrap_seed)
        write_json(places.metrics / f"{weights.stem}.json", measured | {"provenance": provenance})
        counts.append(confusion(predictions[Split.private_test]))
        history += read_epochs(weights.with_suffix(".csv"), int(weights.stem))
    draw(places.plots, np.sum(counts, axis=0), history)


def predict_splits(classifier: Classifier, faces: dict[Split, Faces], settings: Settings) -> dict[Split, Predictions]:
    device = pick_device(settings.device)
    precision = pick_precision(settings.precision, device)
    classifier = classifier.to(device)
    predictions = {}
    for split, of_split in faces.items():
        images = torch.from_numpy(of_split.images).unsqueeze(1).to(device)  # uint8 (N, 1, 48, 48)
        scores = predict(classifier, images, precision, batch_size=settings.batch_size, views=classifier.views)
        predictions[split] = Predictions(scores.cpu().numpy(), of_split.labels, of_split.rows, of_split.in_training)
    return predictions


def read_epochs(path: Path, seed: int) -> list[EpochScore]:
    """Both curves of one seed's history.csv, as the trainer wrote it."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            EpochScore(seed, int(row["epoch"]), split, float(row[f"{split}_loss"]), float(row[f"{split}_accuracy"]))
            for row in csv.DictReader(file)
            for split in ("train", "validation")
        ]


def draw(folder: Path, counts: Any, history: list[EpochScore]) -> None:
    plots_data.write_curve(folder / "loss.csv", history, "loss")
    plots_data.write_curve(folder / "accuracy.csv", history, "accuracy")
    plots_data.write_confusion(folder / "confusion.csv", counts)
    figures.curves(history, folder / "pictures" / "curves.png")
    figures.confusion(counts, folder / "pictures" / "confusion.png")
    figures.class_accuracy(counts, folder / "pictures" / "class_accuracy.png")
