"""The published teacher's latency for one face and throughput for 1,024, exported to ONNX against eager PyTorch.

Each with all cores, from uint8 faces in memory to probabilities: in eager PyTorch the classifier as it is loaded, under
inference_mode, whole and in blocks of 64; the exported network in onnxruntime with its own settings.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.measure import in_turn, ratio, start, table
from fer.models.classifier import load_classifier, predict

WEIGHTS = Path("data/published/cs231n.safetensors")
FACES = 1024
ROUNDS = 9
OPSET = 18
REPEATS = 20  # one face is quick: so many in a row are one timing


def measure() -> dict[str, Any]:
    from fer.export.onnx import INPUT, OUTPUT, export_onnx  # noqa: PLC0415 - rendering results needs no onnx

    device = start()
    faces = np.random.default_rng(0).integers(0, 256, (FACES, 48, 48), dtype=np.uint8)
    images = torch.from_numpy(faces).unsqueeze(1).to(device)  # uint8 (N, 1, 48, 48)
    classifier, _ = load_classifier(WEIGHTS)
    classifier = classifier.to(device)
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(WEIGHTS, Path(folder) / "network.onnx", opset=OPSET)
        session = onnxruntime.InferenceSession(f"{folder}/network.onnx", providers=["CPUExecutionProvider"])

    def eager(count: int, block: int) -> torch.Tensor:
        return predict(classifier, images[:count], torch.float32, batch_size=block).softmax(1).cpu()

    def exported(count: int, block: int) -> list[Any]:
        return [session.run([OUTPUT], {INPUT: faces[at : at + block]}) for at in range(0, count, block)]

    one = in_turn(
        {
            "eager": lambda: [eager(1, 1) for _ in range(REPEATS)],
            "exported": lambda: [exported(1, 1) for _ in range(REPEATS)],
        },
        rounds=ROUNDS,
    )
    many = in_turn(
        {
            "eager": lambda: eager(FACES, FACES),
            "eager in blocks": lambda: eager(FACES, 64),
            "exported": lambda: exported(FACES, FACES),
            "exported in blocks": lambda: exported(FACES, 64),
        },
        rounds=ROUNDS,
    )
    return {"one": one, "many": many}


def report(result: dict[str, Any], _kind: str) -> str:
    one, many = result["one"], result["many"]
    rows = [
        [f"one face, {name}", f"{1e3 * statistics.median(times) / REPEATS:.2f} ms", f"{ratio(times, one['eager']):.2f}"]
        for name, times in one.items()
    ]
    rows += [
        [
            f"{FACES:,} faces, {name}",
            f"{FACES / statistics.median(times):,.0f} faces/s",
            f"{ratio(times, many['eager']):.2f}",
        ]
        for name, times in many.items()
    ]
    return "No goal was set.\n\n" + table(["what", "figure", "faster than eager by"], rows)
