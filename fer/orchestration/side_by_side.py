"""A system's runs: one for each seed, side by side where the machine has cores for it, each resumable."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from fer.errors import UserError
from fer.models.device import pick_device
from fer.orchestration.checkpoint import checkpoint_for
from fer.orchestration.jobs import Job, Report, run_job
from fer.orchestration.progress import Display
from fer.orchestration.watchdog import die_with_parent
from fer.training.distributed import in_process_group, is_main_process, joined
from fer.training.loop import nothing


class TrainingError(UserError):
    """A training that could not end; finished epochs are kept and the next call continues."""


def train_seeds(jobs: list[Job], *, workers: int | str) -> None:
    """Write every job's weights and history under its `out`; under torchrun its processes train each job together.

    Raise TrainingError if a worker process dies, DistributedError if one that torchrun started does.
    """
    with joined(jobs[0].config.device):
        train_all(jobs, worker_count(jobs, workers))
        for job in jobs:
            with checkpoint_for(job.facts()) as checkpoint:
                checkpoint.remove()


def train_all(jobs: list[Job], count: int) -> None:
    if not is_main_process():
        for job in jobs:
            run_job(job, nothing)
        return
    with Display({job.name: job.config.epochs for job in jobs}) as display:
        if count == 1:
            for job in jobs:
                run_job(job, display.report)
        else:
            run_side_by_side(jobs, count, display.report)


def worker_count(jobs: list[Job], workers: int | str) -> int:
    """Return one on a GPU and under torchrun; on the CPU as many as there are cores for `threads` each."""
    if in_process_group() or pick_device(jobs[0].config.device).type == "cuda":
        return 1
    wanted = max(1, usable_cores() // jobs[0].config.threads) if workers == "auto" else int(workers)
    return min(wanted, len(jobs))


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_side_by_side(jobs: list[Job], workers: int, report: Report) -> None:
    """Run a process a seed. Spawned, not forked: a fork would copy torch's thread pools in an unusable state."""
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        listening(manager.Queue(), report) as queue,
        ProcessPoolExecutor(workers, mp_context=context, initializer=die_with_parent) as pool,
    ):
        futures: list[Future[None]] = [pool.submit(run_and_report, job, queue) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BrokenProcessPool:
            raise TrainingError(
                f"{jobs[0].system}: a training process was killed (out of memory?)\n"
                "finished epochs are kept: the next `dvc repro` continues there"
            ) from None


def run_and_report(job: Job, queue: Any) -> None:
    run_job(job, lambda *message: queue.put(message))


@contextmanager
def listening(queue: Any, report: Report) -> Iterator[Any]:
    """Hand every message of the queue to `report` in a thread until the block ends."""

    def listen() -> None:
        while (message := queue.get()) is not None:
            report(*message)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        queue.put(None)
        thread.join()
