"""Whether torch.compile pays: an epoch of this project's loop compiled (`compile: always`) against one without.

`reduce-overhead` fuses what stands between the convolutions and, on a GPU, replays the step as a CUDA graph. The first
epoch, in which it compiles, does not count and stands beside. On a CPU `compile: auto` compiles nothing; there the
mode is torch's `default`, in which the figures for CPUs were taken.
"""

import time
from typing import Any

import torch

from benchmarks.measure import in_turn, ratio, start, summary, table
from benchmarks.ours import CASES, Case, note, our_epoch

VARIANTS = ("eager", "compiled")


def measure() -> dict[str, Any]:
    device = start()
    return {"rows": [run(case, device) for case in CASES[:2]]}


def run(case: Case, device: torch.device) -> dict[str, Any]:
    faces = case.faces(device)
    epochs = {"eager": our_epoch(case, faces, device, augmented=True, compiled=False)}
    begin = time.perf_counter()
    epochs["compiled"] = our_epoch(case, faces, device, augmented=True, compiled=True)
    epochs["compiled"]()
    first = time.perf_counter() - begin
    times = in_turn({**epochs}, rounds=case.rounds)
    return {
        "title": case.title, "side": case.side, "first_epoch": first,
        "variants": {name: summary(runs, len(faces)) for name, runs in times.items()},
        "ratio": ratio(times["compiled"], times["eager"]),
    }  # fmt: skip


def report(result: dict[str, Any], _kind: str) -> str:
    header = ["network", "eager, images/s", "compiled, images/s", "compiled / eager", "first epoch, s"]
    rows = [
        [row["title"], *(f"{row['variants'][name]['per_second']:.0f}" for name in VARIANTS), f"{row['ratio']:.2f}",
         f"{row['first_epoch']:.0f}"]
        for row in result["rows"]
    ]  # fmt: skip
    return table(header, rows) + note(result["rows"])
