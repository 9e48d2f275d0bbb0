"""The logits of every test face, computed once: kept as long as all that they come from stays the same.

A file of predictions says what it comes from, in its provenance's `predicted_from`: a hash of the weights, the store,
the network's layers, the device, its precision, threads and batch size, and the modules that predict. Evaluation code
that changes measures again; it does not predict again.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer.code import ROOT, WITHOUT_INFLUENCE, transitive_imports
from fer.data.store import Faces
from fer.determinism import describe_device, pick_device, pick_precision
from fer.emotions import Split
from fer.evaluation.predictions import Predictions, predicted_from, read_logits
from fer.files import sha256_of
from fer.models.classifier import Classifier, load_classifier, predict
from fer.models.zoo import layout

# The table of networks reaches the key as the layers of the one that predicts; where weights are found does not matter.
NOT_PREDICTING = {"fer/models/zoo.py", "fer/models/weights.py"}


@dataclass(frozen=True)
class Runtime:
    """Where and how to predict; device and precision as in params.yaml's train block."""

    device: str
    precision: str
    threads: int
    batch_size: int


@dataclass(frozen=True)
class EvaluatedFaces:
    """Both test splits of a store."""

    splits: dict[Split, Faces]
    sha256: str  # of the store's bytes
    near_duplicate: dict[Split, np.ndarray[Any, np.dtype[np.bool_]]]  # (N,) each: has a near-duplicate in Training


@dataclass(frozen=True)
class Predicted:
    """One seed: what its network said, the run's provenance, and what the logits come from."""

    splits: dict[Split, Predictions]
    provenance: dict[str, Any]
    key: str


def predict_once(weights: Path, faces: EvaluatedFaces, kept: Path, runtime: Runtime) -> Predicted:
    """The predictions of one seed, with the logits of the file `kept` if it has the same key.

    Raises WeightsError or FileNotFoundError.
    """
    classifier, provenance = load_classifier(weights)
    key = predictions_key(weights, classifier, faces.sha256, runtime)
    logits = read_logits(kept) if predicted_from(kept) == key else predict_splits(classifier, faces.splits, runtime)
    splits = {
        split: Predictions(logits[split], of.labels, of.rows, of.in_training, faces.near_duplicate[split])
        for split, of in faces.splits.items()
    }
    provenance["evaluated_on"] = describe_device(pick_device(runtime.device))
    return Predicted(splits, provenance, key)


def predict_splits(
    classifier: Classifier, splits: dict[Split, Faces], runtime: Runtime
) -> dict[Split, np.ndarray[Any, np.dtype[np.float32]]]:
    """Logits, float32 (N, 7) for each split."""
    device = pick_device(runtime.device)
    precision = pick_precision(runtime.precision, device)
    classifier = classifier.to(device)
    logits = {}
    for split, faces in splits.items():
        images = torch.from_numpy(faces.images).unsqueeze(1).to(device)  # uint8 (N, 1, 48, 48)
        scores = predict(classifier, images, precision, batch_size=runtime.batch_size, views=classifier.views)
        logits[split] = scores.cpu().numpy()  # (N, 7)
    return logits


def predictions_key(weights: Path, classifier: Classifier, store_sha256: str, runtime: Runtime) -> str:
    """SHA-256 of all that the logits come from."""
    device = pick_device(runtime.device)
    parts = {
        "weights": sha256_of(weights),
        "network": layout(classifier),
        "store": store_sha256,
        "device": describe_device(device),
        "precision": str(pick_precision(runtime.precision, device)),
        "threads": runtime.threads,
        "batch_size": runtime.batch_size,
        "code": predicting_code(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def predicting_code() -> dict[str, str]:
    """The sha256 of each module that a logit runs through, by its path."""
    names = transitive_imports(ROOT / "fer" / "models" / "classifier.py") - WITHOUT_INFLUENCE - NOT_PREDICTING
    return {name: sha256_of(ROOT / name) for name in sorted(names)}
