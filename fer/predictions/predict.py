"""Weights to predictions: the logits of every face of PublicTest and PrivateTest, a file a seed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from fer.constants import TEST_SPLITS, Split
from fer.errors import UserError
from fer.files import atomic_write, by_seed
from fer.models.classifier import Classifier, load_classifier, predict
from fer.models.device import describe_device, describe_precision, layout, pick_device, pick_precision, prepare
from fer.predictions.format import Predictions, near_duplicate_rows, write_predictions
from fer.store import Faces, open_store, read_split

if TYPE_CHECKING:
    from fer.config.params import Predict


def predict_system(models: Path, store: Path, near_duplicates: Path, out: Path, settings: "Predict") -> None:
    """Write {seed}.safetensors, and the history {seed}.csv, for every seed in `models`; remove those of other seeds.

    Raises:
        UserError: no weights, or a file that no seed names.
        WeightsError: a file that is not a system's weights.
        PredictionsError: logits that are not finite.
    """
    prepare(settings.threads, pick_device(settings.device))
    near = near_duplicate_rows(near_duplicates)
    with open_store(store) as file:
        faces = {split: read_split(file, split) for split in TEST_SPLITS}
    weights = by_seed(models)
    if not weights:
        raise UserError(f"{models}: no trained seed; `dvc repro` trains it")
    for seed, path in weights.items():
        classifier, provenance = load_classifier(path)
        logits, predicted_on = predict_splits(classifier, faces, settings)
        splits = {split: beside_labels(logits[split], of, near) for split, of in faces.items()}
        write_predictions(out / path.name, splits, provenance | {"predicted_on": predicted_on})
        with atomic_write(out / f"{seed}.csv") as temporary:
            temporary.write_bytes(path.with_suffix(".csv").read_bytes())
    remove_others(out, set(weights))


def remove_others(folder: Path, seeds: set[int]) -> None:
    """Remove the files of seeds that are no longer trained; what else lies there is not ours."""
    for path in (*folder.glob("*.safetensors"), *folder.glob("*.csv")):
        if path.stem.isdecimal() and int(path.stem) not in seeds:
            path.unlink()


def predict_splits(
    classifier: Classifier, faces: dict[Split, Faces], settings: "Predict"
) -> tuple[dict[Split, NDArray[np.float32]], dict[str, str]]:
    """Return the logits of each split, (N, 7), and what they were computed on."""
    device = pick_device(settings.device)
    precision = pick_precision(settings.precision, device)
    classifier = classifier.to(device, memory_format=layout(device))  # type: ignore[call-overload]
    logits = {}
    for split, of in faces.items():
        images = torch.from_numpy(of.images).unsqueeze(1).to(device)  # uint8 (N, 1, 48, 48)
        said = predict(classifier, images, precision, batch_size=settings.batch_size, tta=classifier.tta)
        logits[split] = said.cpu().numpy()  # (N, 7)
    return logits, {"device": describe_device(device), "precision": describe_precision(precision, device)}


def beside_labels(logits: NDArray[np.float32], faces: Faces, near: NDArray[Any]) -> Predictions:
    return Predictions(logits, faces.labels, faces.rows, faces.in_training, np.isin(faces.rows, near))
