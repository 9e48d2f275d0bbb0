"""One system's best seed explained: maps of the same faces by every method, and what the maps are worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor

from fer.data.store import Faces, open_store, read_split
from fer.determinism import pick_device, prepare
from fer.emotions import IMAGE_SIZE, Emotion, Split
from fer.evaluation.galleries import write_galleries
from fer.evaluation.plots_data import write_csv
from fer.evaluation.predictions import read_predictions
from fer.files import replacing, write_json
from fer.interpretability import figures
from fer.interpretability.faithfulness import Curves, area, chance_maps, curves
from fer.interpretability.halves import CLAIMS, by_emotion, share, upper_shares
from fer.interpretability.methods import METHODS
from fer.interpretability.notes import HEADER
from fer.models.classifier import Classifier, load_classifier
from fer.models.published import best_seed

LOCATED = ("saliency", "grad_cam")  # the methods whose maps are held against report 000
CURVES = ("deletion", "insertion")


@dataclass(frozen=True)
class Places:
    """Where one system's explanation goes; `faces` shows faces and stays out of git."""

    faces: Path
    metrics: Path
    plots: Path


@dataclass(frozen=True)
class Settings:
    """How much to explain; device and threads as in params.yaml's train block."""

    faces: int
    shown: int
    gallery: int
    steps: int
    seed: int
    resamples: int
    device: str
    threads: int


@dataclass(frozen=True)
class Explained:
    """The same faces under every method, and under the maps of chance."""

    images: NDArray[np.uint8]  # (N, 48, 48)
    labels: NDArray[np.uint8]  # (N,)
    rows: NDArray[np.int64]  # (N,)
    probabilities: NDArray[np.float32]  # (N, 7)
    maps: dict[str, NDArray[np.float32]]  # (N, 48, 48) each


def explain_system(models: Path, predictions: Path, store: Path, places: Places, settings: Settings) -> None:
    """Writes the maps, their figures and the galleries of the system's best seed on PublicTest."""
    prepare(settings.threads)
    weights = best_seed(models)
    classifier, provenance = load_classifier(weights)
    classifier = classifier.to(pick_device(settings.device))
    with open_store(store) as file:
        faces = read_split(file, Split.private_test)
    chosen = first_faces(faces.labels, settings.faces)
    explained = explain(classifier, faces, chosen)
    found = faithfulness(classifier, explained, steps=settings.steps, seed=settings.seed)
    write_json(places.metrics, measure(explained, found, settings) | {"seed": int(weights.stem)})
    draw(places.plots, explained, found)
    shown = take(explained, first_faces(explained.labels, settings.shown))
    figures.side_by_side(shown, places.faces / "faces.png")
    write_maps(places.faces / "maps.safetensors", shown)
    splits, _ = read_predictions(predictions / weights.name)
    write_galleries(
        splits[Split.private_test], faces.images, places.faces, size=settings.gallery, system=provenance["system"]
    )


def first_faces(labels: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """The places of the first `count` faces of each emotion, right or wrong, emotion after emotion."""
    return np.concatenate([np.flatnonzero(labels == emotion)[:count] for emotion in Emotion])


def explain(classifier: Classifier, faces: Faces, chosen: NDArray[np.int64]) -> Explained:
    """Explains the score of the labelled class, so that no prediction decides what is shown."""
    images, classes = on_device(classifier, faces.images[chosen], faces.labels[chosen])
    with torch.inference_mode():
        scores = torch.cat([classifier(block) for block in torch.split(images, 32)])  # (N, 7)
    return Explained(
        images=faces.images[chosen],
        labels=faces.labels[chosen],
        rows=faces.rows[chosen],
        probabilities=scores.softmax(1).cpu().numpy(),
        maps={name: method(classifier, images, classes).cpu().numpy() for name, method in METHODS.items()},
    )


def on_device(classifier: Classifier, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """uint8 (N, 1, 48, 48) and int64 (N,), where the classifier is."""
    device = next(classifier.parameters()).device
    return torch.from_numpy(images).unsqueeze(1).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def take(explained: Explained, places: NDArray[np.int64]) -> Explained:
    return Explained(
        explained.images[places],
        explained.labels[places],
        explained.rows[places],
        explained.probabilities[places],
        {name: maps[places] for name, maps in explained.maps.items()},
    )


def faithfulness(classifier: Classifier, explained: Explained, *, steps: int, seed: int) -> dict[str, Curves]:
    """Deletion and insertion curves of every method, then of the maps of chance."""
    images, classes = on_device(classifier, explained.images, explained.labels)
    maps = {name: torch.from_numpy(of_method) for name, of_method in explained.maps.items()}
    maps |= chance_maps(len(images), IMAGE_SIZE, seed)
    return {
        name: curves(classifier, images, classes, of_method.to(images.device), steps=steps, seed=seed)
        for name, of_method in maps.items()
    }


def measure(explained: Explained, found: dict[str, Curves], settings: Settings) -> dict[str, Any]:
    """The content of metrics/{dataset}/explain/{system}.json.

    `faithfulness` has, per method, the mean area under each curve with its interval over faces. `upper_half` has, per
    method and emotion, the share of the maps' mass in the upper half of the face; `anger_minus_happy` is the
    difference of two emotions' shares.
    """
    bootstrap = {"resamples": settings.resamples, "seed": settings.seed}
    areas = {
        name: {kind: share(area(getattr(of_method, kind)), **bootstrap) for kind in CURVES}
        for name, of_method in found.items()
    }
    located = {
        name: by_emotion(explained.maps[name], explained.labels, **bootstrap)
        | {"anger_minus_happy": difference(explained.maps[name], explained.labels, **bootstrap)}
        for name in LOCATED
    }
    return {
        "faces": len(explained.labels),
        "faithfulness": {
            name: {kind: value._asdict() for kind, value in of_method.items() if value}
            for name, of_method in areas.items()
        },
        "upper_half": located,
    }


def difference(
    maps: NDArray[np.float32], labels: NDArray[np.uint8], *, resamples: int, seed: int
) -> dict[str, float] | None:
    """Anger's mean share of mass in the upper half less happiness's, with a 95 % bootstrap interval."""
    shares = upper_shares(maps)
    groups = [shares[(labels == emotion) & np.isfinite(shares)] for emotion in CLAIMS]
    if any(len(group) == 0 for group in groups):
        return None
    generator = np.random.default_rng(seed)
    drawn = [group[generator.integers(0, len(group), (resamples, len(group)))].mean(axis=1) for group in groups]
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    return {"mean": float(groups[0].mean() - groups[1].mean()), "low": float(low), "high": float(high)}


def draw(plots: Path, explained: Explained, found: dict[str, Curves]) -> None:
    figures.mean_maps(explained, plots / "pictures" / "mean_maps.png")
    figures.faithfulness(found, plots / "pictures" / "faithfulness.png")
    for kind in CURVES:
        write_faithfulness(plots / f"{kind}.csv", {name: getattr(curve, kind) for name, curve in found.items()})


def write_faithfulness(path: Path, found: dict[str, NDArray[np.float64]]) -> None:
    """method,pixels,probability: the mean over faces after each share of the pixels; template faithfulness."""
    rows = [
        (name, f"{step / (curve.shape[1] - 1):.4f}", f"{probability:.6f}")
        for name, curve in found.items()
        for step, probability in enumerate(curve.mean(axis=0))
    ]
    write_csv(path, HEADER, rows)


def write_maps(path: Path, shown: Explained) -> None:
    tensors = {name: getattr(shown, name) for name in ("images", "labels", "rows", "probabilities")}
    with replacing(path) as temporary:
        save_file({name: np.ascontiguousarray(value) for name, value in (tensors | shown.maps).items()}, temporary)


def read_maps(path: Path) -> Explained:
    tensors = load_file(path)
    maps = {name: tensors.pop(name) for name in METHODS}
    return Explained(**tensors, maps=maps)
