"""A system for use: published weights and ONNX files, and how far these are from the network they were made of."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from fer.constants import TEST_SPLITS, Split
from fer.export.onnx import INPUT, OUTPUT, export_onnx
from fer.export.published import publish
from fer.export.quantise import quantise, training_faces
from fer.export.temperature import fit_temperature
from fer.files import sha256_of, write_json
from fer.models.best_seed import best_seed
from fer.models.classifier import load_classifier, predict
from fer.models.device import prepare
from fer.store import Faces, open_store, read_split

BATCH = 64
FLOAT, INT8 = "float.onnx", "int8.onnx"

Probabilities = NDArray[np.float32]  # (N, 7)


class Exported:
    """An exported network in onnxruntime, on one core."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, faces: NDArray[np.uint8]) -> Probabilities:
        """Return probabilities, float32 (N, 7), for grey faces, uint8 (N, 48, 48)."""
        blocks = np.split(faces, range(BATCH, len(faces), BATCH))
        return np.concatenate([self.session.run([OUTPUT], {INPUT: block})[0] for block in blocks])  # (N, 7)


def export_system(
    models: Path, store: Path, *, published: Path, out: Path, metrics: Path, faces: int, opset: int
) -> None:
    """Write the system's best seed on PublicTest as `published`, and that as ONNX in float and in eight bits.

    Args:
        faces: of Training, for the calibration of the eight bits.
        metrics: gets what the three files are worth.
    """
    prepare(threads=1)  # the sums behind the ranges must not depend on the number of cores
    weights = best_seed(models)
    training = training_faces(store, faces)
    with open_store(store) as file:
        test = {split: read_split(file, split) for split in TEST_SPLITS}
    public = test[Split.public_test]
    publish(weights, published, temperature=fit_temperature(logits(weights, public.images)[0], public.labels))
    export_onnx(published, out / FLOAT, opset=opset)
    quantise(out / FLOAT, out / INT8, training)
    facts = {"opset": opset, "seed": int(weights.stem), "calibration_faces": len(training)}
    write_json(metrics, measured(published, out, test) | facts | {"weights_sha256": sha256_of(weights)})


def measured(weights: Path, exported: Path, test: dict[Split, Faces]) -> dict[str, Any]:
    """Return bytes, accuracies and the largest difference of a probability from PyTorch's, for both ONNX files."""
    expected = {split: probabilities(weights, faces.images) for split, faces in test.items()}
    temperature = load_classifier(weights)[1]["temperature"]
    result: dict[str, Any] = {
        "temperature": temperature,
        "published": accuracies(expected, test) | {"bytes": weights.stat().st_size},
    }
    for name in (FLOAT, INT8):
        network = Exported(exported / name)
        found = {split: network(faces.images) for split, faces in test.items()}
        differences = [float(np.abs(found[split] - expected[split]).max()) for split in test]
        facts = {"bytes": (exported / name).stat().st_size, "largest_difference": max(differences)}
        result[Path(name).stem] = accuracies(found, test) | facts
    return result


def logits(weights: Path, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """Return PyTorch's in float32, (N, 7), for uint8 (N, 48, 48), and the file's temperature, 1.0 without one."""
    classifier, provenance = load_classifier(weights)
    found = predict(classifier, torch.from_numpy(images).unsqueeze(1), torch.float32, batch_size=BATCH)
    return found.numpy(), float(provenance.get("temperature", 1.0))


def probabilities(weights: Path, images: NDArray[np.uint8]) -> Probabilities:
    """Return PyTorch's in float32, (N, 7), for uint8 (N, 48, 48)."""
    found, temperature = logits(weights, images)
    return np.asarray((torch.from_numpy(found) / temperature).softmax(1).numpy())


def accuracies(found: dict[Split, Probabilities], test: dict[Split, Faces]) -> dict[str, Any]:
    right = {split.value: found[split].argmax(1) == faces.labels for split, faces in test.items()}
    private = Split.private_test
    right[f"{private.value}_leak_free"] = right[private.value][~test[private].in_training]
    return {name: {"accuracy": float(of.mean())} for name, of in right.items()}


def difference(weights: Path, exported: Path, images: NDArray[np.uint8]) -> float:
    """Return the largest between a probability of the file and PyTorch's, over uint8 (N, 48, 48)."""
    return float(np.abs(Exported(exported)(images) - probabilities(weights, images)).max())
