"""Whether torch.compile pays: an epoch of this project's loop with the network compiled against the loop as it is.

`default` fuses what stands between the convolutions; `reduce-overhead`, on a GPU, also replays the step as a CUDA
graph. The first epoch, in which it compiles, does not count and stands beside. Training compiles nothing as long as
that has not been measured to pay.
"""

import time
from typing import Any

import torch

from benchmarks.measure import in_turn, ratio, start, summary, table
from benchmarks.ours import CASES, Case, note, our_epoch

MODES = {"cpu": ("default",), "cuda": ("default", "reduce-overhead")}


def measure() -> dict[str, Any]:
    device = start()
    return {"rows": [run(case, device) for case in CASES[:2]]}


def run(case: Case, device: torch.device) -> dict[str, Any]:
    faces = case.faces(device)
    epochs = {"eager": our_epoch(case, faces, device, augmented=True)}
    seconds, reason = {}, None
    for mode in MODES[device.type]:
        epoch = our_epoch(case, faces, device, augmented=True, compile_mode=mode)
        begin = time.perf_counter()
        try:
            epoch()
        except Exception as error:  # there is no compiler, or it fails: its errors are many
            reason = f"{mode}: {type(error).__name__}"
            continue
        seconds[mode] = time.perf_counter() - begin
        epochs[mode] = epoch
    times = in_turn(dict(epochs), rounds=case.rounds)
    return {
        "title": case.title, "side": case.side, "failed": reason, "first_epoch": seconds,
        "variants": {name: summary(runs, len(faces)) for name, runs in times.items()},
        "ratios": {mode: ratio(times[mode], times["eager"]) for mode in seconds},
    }  # fmt: skip


def report(result: dict[str, Any], kind: str) -> str:
    header = ["network", "eager, images/s"]
    for mode in MODES[kind]:
        header += [f"{mode}, images/s", "compiled / eager", "first epoch, s"]
    rows = []
    for row in result["rows"]:
        line = [row["title"], f"{row['variants']['eager']['per_second']:.0f}"]
        for mode in MODES[kind]:
            done = mode in row["variants"]
            line += [
                f"{row['variants'][mode]['per_second']:.0f}" if done else "failed",
                f"{row['ratios'][mode]:.2f}" if done else "–",
                f"{row['first_epoch'][mode]:.0f}" if done else "–",
            ]
        rows.append(line)
    failed = "".join(f"\n{row['title']}: {row['failed']}\n" for row in result["rows"] if row["failed"])
    return table(header, rows) + note(result["rows"]) + failed
