"""What an exported network says, and how far that is from the network it was made of."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from fer.app.calibration import training_faces
from fer.app.export import INPUT, OUTPUT, export_onnx
from fer.app.quantise import quantise
from fer.data.store import Faces, open_store, read_split
from fer.determinism import prepare
from fer.emotions import Split
from fer.evaluation.predictions import TEST_SPLITS
from fer.files import sha256_of, write_json
from fer.models.classifier import load_classifier, predict
from fer.models.published import best_seed

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
        """Probabilities, float32 (N, 7), for grey faces, uint8 (N, 48, 48)."""
        blocks = np.split(faces, range(BATCH, len(faces), BATCH))
        return np.concatenate([self.session.run([OUTPUT], {INPUT: block})[0] for block in blocks])  # (N, 7)


def export_system(models: Path, store: Path, out: Path, metrics: Path, *, faces: int, opset: int) -> None:
    """Writes the system's best seed on PublicTest as `float.onnx` and `int8.onnx`, and what both are worth.

    Args:
        faces: of Training, for the calibration of the eight bits.
    """
    prepare(threads=1)  # the sums behind the ranges must not depend on the number of cores
    weights = best_seed(models)
    training = training_faces(store, faces)
    with open_store(store) as file:
        test = {split: read_split(file, split) for split in TEST_SPLITS}
    export_onnx(weights, out / FLOAT, opset=opset)
    quantise(out / FLOAT, out / INT8, training)
    facts = {"opset": opset, "seed": int(weights.stem), "calibration_faces": len(training)}
    write_json(metrics, measured(weights, out, test) | facts | {"weights_sha256": sha256_of(weights)})


def measured(weights: Path, exported: Path, test: dict[Split, Faces]) -> dict[str, Any]:
    """Bytes, accuracies and the largest difference of a probability from PyTorch's, for both files."""
    expected = {split: probabilities(weights, faces.images) for split, faces in test.items()}
    result: dict[str, Any] = {"pytorch": accuracies(expected, test)}
    for name in (FLOAT, INT8):
        network = Exported(exported / name)
        found = {split: network(faces.images) for split, faces in test.items()}
        differences = [float(np.abs(found[split] - expected[split]).max()) for split in test]
        size = (exported / name).stat().st_size
        result[Path(name).stem] = accuracies(found, test) | {"bytes": size, "largest_difference": max(differences)}
    return result


def probabilities(weights: Path, images: NDArray[np.uint8]) -> Probabilities:
    """PyTorch's in float32, (N, 7), for uint8 (N, 48, 48)."""
    classifier, _ = load_classifier(weights)
    scores = predict(classifier, torch.from_numpy(images).unsqueeze(1), torch.float32, batch_size=BATCH)
    return np.asarray(scores.softmax(1).numpy())


def accuracies(found: dict[Split, Probabilities], test: dict[Split, Faces]) -> dict[str, Any]:
    return {
        split.value: {"accuracy": float((found[split].argmax(1) == faces.labels).mean())}
        for split, faces in test.items()
    }


def difference(weights: Path, exported: Path, images: NDArray[np.uint8]) -> float:
    """The largest between a probability of the file and PyTorch's, over uint8 (N, 48, 48)."""
    return float(np.abs(Exported(exported)(images) - probabilities(weights, images)).max())
