"""Two seeds of the teacher side by side, a process and a thread each, against one after another with all threads.

The first is how the project trains seeds on a CPU (train.defaults.threads: 1). On a GPU they train one after another:
no other way has been measured there.
"""

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.measure import ratio, summary, table
from benchmarks.ours import CASES, our_epoch
from fer.models.device import prepare
from fer.orchestration.side_by_side import usable_cores

CPU = torch.device("cpu")
CASE = CASES[0]
SEEDS = 2
ROUNDS = 6


def measure() -> dict[str, Any] | None:
    """None where there is one core."""
    if usable_cores() < SEEDS:
        return None
    faces = CASE.faces(CPU)
    prepare(usable_cores())
    epoch = our_epoch(CASE, faces, CPU, augmented=True)
    epoch()
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(SEEDS)]
    workers = [context.Process(target=train_when_asked, args=(theirs,), daemon=True) for _, theirs in pairs]
    for worker in workers:
        worker.start()
    ours = [mine for mine, _ in pairs]
    side_by_side(ours)  # a first epoch that does not count
    times: dict[str, list[float]] = {"side by side": [], "one after another": []}
    for _ in range(ROUNDS):
        times["side by side"].append(side_by_side(ours))
        begin = time.perf_counter()
        for _ in range(SEEDS):
            epoch()
        times["one after another"].append(time.perf_counter() - begin)
    for connection, worker in zip(ours, workers, strict=True):
        connection.send(False)
        worker.join()
    return {
        "variants": {name: summary(seconds, SEEDS * len(faces)) for name, seconds in times.items()},
        "ratio": ratio(times["side by side"], times["one after another"]),
    }


def train_when_asked(connection: Connection) -> None:
    prepare(1)
    epoch = our_epoch(CASE, CASE.faces(CPU), CPU, augmented=True)
    while connection.recv():
        epoch()
        connection.send(True)


def side_by_side(connections: list[Connection]) -> float:
    """Seconds until every worker has trained one epoch."""
    begin = time.perf_counter()
    for connection in connections:
        connection.send(True)
    for connection in connections:
        connection.recv()
    return time.perf_counter() - begin


def report(result: dict[str, Any], _kind: str) -> str:
    rows = [[name, f"{variant['per_second']:.0f}"] for name, variant in result["variants"].items()]
    return table(["two seeds", "images/s"], rows) + f"\nSide by side is {result['ratio']:.2f} times as fast.\n"
