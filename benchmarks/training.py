"""Training images a second of this project's loop against three others, everything included but reading the data."""

from typing import Any

import numpy as np
import torch

from benchmarks.measure import in_turn, ratio, start, summary, table
from benchmarks.ours import CASES, Case, note, our_epoch
from benchmarks.peers import Work, kornia_epoch, loader_epoch, pil_transform, v2_transform

GOALS = {
    "cpu": "the teacher 4 times as fast as the tutorial's loop",
    "cpu_float32": "no network slower than in the tutorial's loop",
    "cuda": "10 times as fast as the tutorial's loop",
}
PEERS = {
    "tutorial": "DataLoader, PIL transforms image by image",
    "v2": "DataLoader, torchvision.transforms.v2",
    "kornia": "kornia's batched augmentation",
}


def measure() -> dict[str, Any]:
    device = start()
    return {"rows": [run(case, device) for case in CASES]}


def run(case: Case, device: torch.device) -> dict[str, Any]:
    faces = case.faces(device)
    work = Work(faces.images, faces.labels.astype(np.int64), case.batch_size, case.side, device)
    epochs = {
        "ours": our_epoch(case, faces, device, augmented=True),
        "tutorial": loader_epoch(work, case.network(), pil_transform(case.side)),
        "v2": loader_epoch(work, case.network(), v2_transform(case.side)),
        "kornia": kornia_epoch(work, case.network()),
        "without distortions": our_epoch(case, faces, device, augmented=False),
    }
    seconds = in_turn(dict(epochs), rounds=case.rounds)
    return {
        "title": case.title, "side": case.side, "batch_size": case.batch_size, "images": len(faces),
        "variants": {name: summary(times, len(faces)) for name, times in seconds.items()},
        "ratios": {name: ratio(seconds["ours"], seconds[name]) for name in PEERS},
    }  # fmt: skip


def report(result: dict[str, Any], kind: str) -> str:
    header = ["network", "batch", "ours, images/s", "ours without distortions"]
    for peer in PEERS:
        header += [f"{peer}, images/s", f"ours / {peer}"]
    rows = []
    for row in result["rows"]:
        speeds = {name: f"{variant['per_second']:.0f}" for name, variant in row["variants"].items()}
        line = [row["title"], str(row["batch_size"]), speeds["ours"], speeds["without distortions"]]
        for peer in PEERS:
            line += [speeds[peer], f"{row['ratios'][peer]:.2f}"]
        rows.append(line)
    explained = "".join(f"- {name}: {text}\n" for name, text in PEERS.items())
    return f"Goal: {GOALS[kind]}.\n\n{table(header, rows)}{note(result['rows'])}\n{explained}"
