"""A system's runs: one for each seed, each resumable, side by side where the machine has cores or GPUs for it."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.managers import SyncManager
from queue import Queue
from threading import Event
from typing import Any

import torch

from fer.errors import UserError
from fer.models.device import pick_device
from fer.orchestration.checkpoint import checkpoint_for
from fer.orchestration.jobs import Job, Report, run_job
from fer.orchestration.progress import Display
from fer.orchestration.watchdog import die_with_parent
from fer.training.distributed import in_process_group, is_main_process, joined
from fer.training.loop import nothing

PAUSE = 0.2  # seconds


class TrainingError(UserError):
    """A training that could not end; the next call continues from the checkpoint."""


class Stopped(Exception):  # noqa: N818 - no error: nobody sees it
    """Another run failed, and this one ends with it."""


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
    """Return how many jobs run side by side: one under torchrun, a number as it is.

    On the CPU `auto` is as many as there are cores for `threads` each, on GPUs as many as there are.
    """
    device = pick_device(jobs[0].config.device).type
    if in_process_group() or device not in ("cpu", "cuda"):
        return 1
    places = torch.cuda.device_count() if device == "cuda" else usable_cores() // jobs[0].config.threads
    wanted = places if workers == "auto" else int(workers)
    return max(1, min(wanted, len(jobs)))


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_side_by_side(jobs: list[Job], workers: int, report: Report) -> None:
    """Run each job in one of `workers` processes; the first that fails ends all, at their next batch.

    Spawned, not forked: a fork would copy torch's thread pools in an unusable state.
    """
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(die_with_parent)
    with manager, listening(manager.Queue(), report) as queue:
        places, stop = manager.Queue(), manager.Event()
        for place in range(workers):
            places.put(place)
        own = (jobs[0].config.device, places)
        with ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker, initargs=own) as pool:
            futures = [pool.submit(run_and_report, job, queue, stop) for job in jobs]
            try:
                for future in as_completed(futures):
                    future.result()
            except BrokenProcessPool:
                raise TrainingError(
                    f"{jobs[0].system}: a training process was killed (out of memory?)\n"
                    "the next `dvc repro` continues from its last checkpoint"
                ) from None
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)


def start_worker(device: str, places: Queue[int]) -> None:
    die_with_parent()
    own_gpu(device, places.get())


def own_gpu(device: str, place: int) -> None:
    """Make `cuda` mean one GPU in this process, of more processes than GPUs in turn; do nothing on the CPU."""
    if pick_device(device).type == "cuda":
        torch.cuda.set_device(place % torch.cuda.device_count())


def run_and_report(job: Job, queue: Queue[Any], stop: Event) -> None:
    """Run a job; hand its messages on, of batches at most one a `PAUSE`: each is a call to another process."""
    last = 0.0

    def report(*message: Any) -> None:
        nonlocal last
        now = time.monotonic()
        epoch = message[-1]
        if epoch or now - last > PAUSE:
            last = now
            if stop.is_set():
                raise Stopped
            queue.put(message)

    run_job(job, report)


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
