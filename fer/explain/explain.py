"""One system's best seed explained: maps of the same faces by every method, and what the maps are worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor

from fer.constants import IMAGE_SIZE, Emotion, Split
from fer.explain.batches import batches
from fer.explain.faithfulness import Curves, curves, random_maps
from fer.explain.figures import draw_faces, draw_faithfulness, draw_mean_maps
from fer.explain.galleries import write_galleries
from fer.explain.measure import CURVES, measure
from fer.explain.methods import METHODS
from fer.files import atomic_write, write_csv, write_json
from fer.models.best_seed import best_seed
from fer.models.classifier import Classifier, load_classifier
from fer.models.device import pick_device, prepare
from fer.predictions.format import read_predictions
from fer.store import Faces, open_store, read_split

if TYPE_CHECKING:
    from fer.config.params import Explain


ARRAYS = ("images", "labels", "rows", "probabilities")  # of Explained, beside its maps


@dataclass(frozen=True)
class Places:
    """Where one system's explanation goes; `faces` shows faces and stays out of git."""

    faces: Path
    metrics: Path
    plots: Path


@dataclass(frozen=True)
class Explained:
    """The same faces under every method."""

    images: NDArray[np.uint8]  # (N, 48, 48)
    labels: NDArray[np.uint8]  # (N,)
    rows: NDArray[np.int64]  # (N,)
    probabilities: NDArray[np.float32]  # (N, 7)
    maps: dict[str, NDArray[np.float32]]  # (N, 48, 48) each


def explain_system(
    models: Path,
    predictions: Path,
    store: Path,
    places: Places,
    *,
    settings: "Explain",
) -> None:
    """Write the maps, their figures and the galleries of the system's best seed on PublicTest.

    Args:
        models, predictions: the system's folders, a file a seed in both.
        settings: the block `explain` of params.yaml.

    Raises:
        UserError: the system has no weights, or its network no map that Grad-CAM could explain.
    """
    prepare(threads=1)
    weights = best_seed(models)
    classifier, _ = load_classifier(weights)
    classifier = classifier.to(pick_device("auto"))
    with open_store(store) as file:
        faces = read_split(file, Split.private_test)
    explained = explain(classifier, faces, first_faces(faces.labels, settings.faces))
    found = faithfulness(classifier, explained, steps=settings.steps, seed=settings.seed)
    content = measure(explained, found, resamples=settings.resamples, seed=settings.seed)
    write_json(places.metrics, content | {"seed": int(weights.stem)})
    draw_mean_maps(explained, places.plots / "mean_maps.png")
    draw_faithfulness(found, places.plots / "faithfulness.png")
    for kind in CURVES:
        write_faithfulness(places.plots / f"{kind}.csv", {name: getattr(curve, kind) for name, curve in found.items()})
    shown = take(explained, first_faces(explained.labels, settings.shown))
    draw_faces(shown, places.faces / "faces.png")
    write_maps(places.faces / "maps.safetensors", shown)
    answers = read_predictions(predictions / weights.name)[0][Split.private_test]
    write_galleries(answers, faces.images, places.faces, size=settings.gallery, system=models.name)


def first_faces(labels: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return the places of the first `count` faces of each emotion, right or wrong, emotion after emotion."""
    return np.concatenate([np.flatnonzero(labels == emotion)[:count] for emotion in Emotion])


def explain(classifier: Classifier, faces: Faces, chosen: NDArray[np.int64]) -> Explained:
    """Explain the logit of the labelled class, so that no prediction decides what is shown."""
    images, classes = on_device(classifier, faces.images[chosen], faces.labels[chosen])
    with torch.inference_mode():
        logits = torch.cat([classifier(block) for (block,) in batches(images)])  # (N, 7)
    return Explained(
        images=faces.images[chosen],
        labels=faces.labels[chosen],
        rows=faces.rows[chosen],
        probabilities=logits.softmax(1).cpu().numpy(),
        maps={name: method(classifier, images, classes).cpu().numpy() for name, method in METHODS.items()},
    )


def on_device(classifier: Classifier, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Return uint8 (N, 1, 48, 48) and int64 (N,), where the classifier is."""
    device = next(classifier.parameters()).device
    return torch.from_numpy(images).unsqueeze(1).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def take(explained: Explained, places: NDArray[np.int64]) -> Explained:
    arrays = {name: getattr(explained, name)[places] for name in ARRAYS}
    return Explained(**arrays, maps={name: maps[places] for name, maps in explained.maps.items()})


def faithfulness(classifier: Classifier, explained: Explained, *, steps: int, seed: int) -> dict[str, Curves]:
    """Return the deletion and insertion curves of every method, then of the random maps."""
    images, classes = on_device(classifier, explained.images, explained.labels)
    maps = {name: torch.from_numpy(of_method) for name, of_method in explained.maps.items()}
    maps |= random_maps(len(images), IMAGE_SIZE, seed)
    return {
        name: curves(classifier, images, classes, of_method.to(images.device), steps=steps, seed=seed)
        for name, of_method in maps.items()
    }


def write_faithfulness(path: Path, found: dict[str, NDArray[np.float64]]) -> None:
    """Write method,pixels,probability: the mean over faces after each share of the pixels; template faithfulness."""
    rows = [
        (name, f"{step / (curve.shape[1] - 1):.4f}", f"{probability:.6f}")
        for name, curve in found.items()
        for step, probability in enumerate(curve.mean(axis=0))
    ]
    write_csv(path, ("method", "pixels", "probability"), rows)


def write_maps(path: Path, shown: Explained) -> None:
    tensors = {name: getattr(shown, name) for name in ARRAYS} | shown.maps
    with atomic_write(path) as temporary:
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary)
