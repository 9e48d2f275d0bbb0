"""How much of the device's arithmetic a training uses: images/s times the network's operations, over the peak.

The peak is the rate of fifty large matrix products in the precision that training takes on this device, measured in
turn with the training. One alone would last a GPU less than 2 ms, and show a clock that it cannot hold. A training step
counts as three forward passes.
"""

import statistics
from typing import Any

import torch

from benchmarks.measure import in_turn, start, table
from benchmarks.ours import CASES, note, our_epoch
from fer.models.device import pick_precision
from fer.models.networks import count_flops

GOALS = {("teacher", "cpu"): 35.0, ("teacher", "cpu_float32"): 35.0, ("ResNet-18, 3x3 stem", "cuda"): 40.0}
PRODUCTS = 50
SIDE = {"cpu": 2048, "cuda": 8192}


def measure() -> dict[str, Any]:
    device = start()
    precision = pick_precision("auto", device)
    side = SIDE[device.type]
    left, right = (torch.randn(side, side, device=device, dtype=precision) for _ in range(2))
    rows = []
    for case in CASES:
        faces = case.faces(device)
        epoch = our_epoch(case, faces, device, augmented=False)
        seconds = in_turn({"training": epoch, "products": lambda: products(left, right)}, rounds=case.rounds)
        operations = 3 * len(faces) * count_flops(case.network(), case.side)
        rates = [operations / time / 1e9 for time in seconds["training"]]
        peaks = [PRODUCTS * 2 * side**3 / time / 1e9 for time in seconds["products"]]
        rows.append({"title": case.title, "side": case.side, "gflops": rates, "peak_gflops": peaks})
    return {"precision": str(precision).removeprefix("torch."), "rows": rows}


def products(left: torch.Tensor, right: torch.Tensor) -> None:
    for _ in range(PRODUCTS):
        left @ right


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
            f"{goal:.0f} %" if (goal := GOALS.get((row["title"], kind))) else "–",
        ]
        for row in result["rows"]
    ]
    header = ["network", "training, GFLOP/s", "matrix products, GFLOP/s", "share", "goal"]
    older = note(result["rows"]) and f"{note(result['rows'])}The peak is that of a single product likewise.\n"
    return f"Precision: {result['precision']}.\n\n" + table(header, rows) + older
