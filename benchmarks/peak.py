"""How much of the device's arithmetic a training uses: images/s times the network's operations, over the peak.

The peak is the rate of a large matrix product in the precision that training takes on this device, measured in turn
with the training. A training step counts as three forward passes.
"""

import statistics
from typing import Any

import torch

from benchmarks.measure import in_turn, start, table
from benchmarks.training import CASES, our_epoch, random_faces
from fer.determinism import pick_precision
from fer.models.zoo import build, count_flops

GOALS = {("cs231n", "cpu"): 35.0, ("resnet18_cifar", "cuda"): 40.0}
SIDE = {"cpu": 2048, "cuda": 8192}


def measure() -> dict[str, Any]:
    device = start()
    precision = pick_precision("auto", device)
    side = SIDE[device.type]
    left, right = (torch.randn(side, side, device=device, dtype=precision) for _ in range(2))
    rows = []
    for case in CASES:
        faces = random_faces(case.batch_size * case.batches * (20 if device.type == "cuda" else 1))
        epoch = our_epoch(case, faces, device, augmented=False)
        seconds = in_turn({"training": epoch, "product": lambda: left @ right}, rounds=case.rounds)
        operations = 3 * len(faces) * count_flops(build(case.model), case.side)
        rates = [operations / time / 1e9 for time in seconds["training"]]
        peaks = [2 * side**3 / time / 1e9 for time in seconds["product"]]
        rows.append({"title": case.title, "model": case.model, "gflops": rates, "peak_gflops": peaks})
    return {"precision": str(precision).removeprefix("torch."), "rows": rows}


def share(row: dict[str, Any]) -> float:
    """Per cent, by the median of the rounds."""
    middle: float = statistics.median(
        100 * rate / peak for rate, peak in zip(row["gflops"], row["peak_gflops"], strict=True)
    )
    return middle


def report(result: dict[str, Any], kind: str) -> str:
    rows = [
        [
            row["title"],
            f"{statistics.median(row['gflops']):,.0f}",
            f"{statistics.median(row['peak_gflops']):,.0f}",
            f"{share(row):.0f} %",
            f"{goal:.0f} %" if (goal := GOALS.get((row["model"], kind))) else "–",
        ]
        for row in result["rows"]
    ]
    header = ["network", "training, GFLOP/s", "matrix product, GFLOP/s", "share", "goal"]
    return f"Precision: {result['precision']}.\n\n" + table(header, rows)
