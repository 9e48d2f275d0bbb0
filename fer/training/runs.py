"""A system's runs: one for each seed, side by side where the machine has cores for it, each resumable."""

import csv
import io
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fer.data.batches import DeviceFaces
from fer.data.store import open_store, read_split
from fer.determinism import derived_seed, describe_device, pick_device, pick_precision, prepare
from fer.emotions import Split
from fer.errors import UserError
from fer.files import replacing, sha256_of, write_text
from fer.models.classifier import Classifier, Normalisation, load_classifier, save_classifier
from fer.models.zoo import build
from fer.params import Recipe
from fer.training.checkpoint import checkpoint_for
from fer.training.loop import Epoch, Run, train
from fer.training.losses import Loss, SelfDistillation, cross_entropy, teacher_scores
from fer.training.progress import Display
from fer.training.watchdog import die_with_parent

NOT_RUN = "not_run.txt"
Report = Callable[[int, int, float, Epoch | None], None]  # seed, epochs done, share of the next one, the epoch's line


class TrainingError(UserError):
    """A training that could not end; what it had finished is kept and the next call continues."""


@dataclass(frozen=True)
class Teacher:
    """A trained system's weights and how much of the loss is theirs (report 000, equation 1)."""

    weights: Path
    alpha: float
    temperature: float


@dataclass(frozen=True)
class Job:
    """One run, as plain values that travel to another process."""

    dataset: str
    system: str
    model: str
    seed: int
    recipe: Recipe
    store: Path
    out: Path
    device: str
    precision: str
    threads: int
    teacher: Teacher | None = None

    def facts(self) -> dict[str, Any]:
        """All that decides the result, files by their hash: what a checkpoint is keyed by."""
        device = pick_device(self.device)
        facts = asdict(self) | {
            "recipe": self.recipe.model_dump(),
            "store": sha256_of(self.store),
            "device": describe_device(device),
            "precision": str(pick_precision(self.precision, device)),
            "teacher": None,
        }
        if self.teacher:
            facts["teacher"] = asdict(self.teacher) | {"weights": sha256_of(self.teacher.weights)}
        return facts | {"out": self.out.name}


def train_or_skip(jobs: list[Job], out: Path, *, runs: bool, workers: int | str) -> None:
    """Trains, or leaves a note in `out` where the dataset does not run this system."""
    if runs:
        train_seeds(jobs, workers=workers)
    else:
        write_text(out / NOT_RUN, "this dataset does not run this system: params.yaml, systems.*.datasets\n")


def train_seeds(jobs: list[Job], *, workers: int | str) -> None:
    """Every job's weights and history under its `out`. Raises TrainingError if a worker process dies."""
    count = worker_count(jobs, workers)
    with Display({job.seed: job.recipe.epochs for job in jobs}, jobs[0].system) as display:
        if count == 1:
            for job in jobs:
                run_job(job, display.report)
        else:
            run_side_by_side(jobs, count, display.report)
    for job in jobs:
        with checkpoint_for(job.facts()) as checkpoint:
            checkpoint.remove()


def worker_count(jobs: list[Job], workers: int | str) -> int:
    """One process on a GPU; on the CPU as many as there are cores for `threads` each."""
    if pick_device(jobs[0].device).type == "cuda":
        return 1
    wanted = max(1, usable_cores() // jobs[0].threads) if workers == "auto" else int(workers)
    return min(wanted, len(jobs))


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_job(job: Job, report: Report) -> None:
    """Trains one seed, or continues it, and writes {seed}.safetensors and {seed}.csv."""
    prepare(job.threads)
    device = pick_device(job.device)
    precision = pick_precision(job.precision, device)
    with open_store(job.store) as file:
        training = DeviceFaces(read_split(file, Split.training), Split.training, device)
        validation = DeviceFaces(read_split(file, Split.public_test), Split.public_test, device)
        normalise = Normalisation(file["mean"][:], file["std"][:], per_image=file.attrs["method"] == "image")
        method, source = str(file.attrs["method"]), str(file.attrs["source_sha256"])
    seed = derived_seed(job.seed, job.system)  # a student must not start as its teacher did
    torch.manual_seed(derived_seed(seed, "weights"))
    classifier = Classifier(normalise, build(job.model)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = build_loss(job.teacher, training, precision)
    with checkpoint_for(job.facts()) as checkpoint:
        run = train(
            classifier, training, validation,
            loss=loss, recipe=job.recipe, seed=seed, precision=precision, checkpoint=checkpoint,
            progress=lambda done, share, epoch: report(job.seed, done, share, epoch),
        )  # fmt: skip
    provenance = describe(job, run, source) | {
        "normalise": method,
        "device": describe_device(device),
        "precision": str(precision).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
    }
    save_classifier(job.out / f"{job.seed}.safetensors", run.best_state, provenance)
    write_history(job.out / f"{job.seed}.csv", run.history)


def build_loss(teacher: Teacher | None, training: DeviceFaces, precision: torch.dtype) -> Loss:
    if teacher is None:
        return cross_entropy
    network, _ = load_classifier(teacher.weights)
    scores = teacher_scores(network.to(training.images.device), training, precision)
    return SelfDistillation(scores, alpha=teacher.alpha, temperature=teacher.temperature)


def describe(job: Job, run: Run, source: str) -> dict[str, Any]:
    """Where the weights come from; goes with every number that is measured on them."""
    assert run.best is not None
    distilled = {"alpha": job.teacher.alpha, "temperature": job.teacher.temperature} if job.teacher else None
    return {
        "dataset": job.dataset,
        "system": job.system,
        "model": job.model,
        "seed": job.seed,
        "recipe": job.recipe.model_dump(),
        "distil": distilled,
        "data_sha256": source,
        "threads": job.threads,
        "best_epoch": run.best.epoch,
        "epochs_trained": len(run.history),
        "validation_accuracy": round(run.best.validation_accuracy, 6),
    }


def write_history(path: Path, history: list[Epoch]) -> None:
    """A line an epoch; six decimals, since the last bits differ between machines."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(asdict(history[0])), lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        writer.writerow({name: f"{value:.6g}" for name, value in asdict(epoch).items()})
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue())


def run_side_by_side(jobs: list[Job], workers: int, report: Report) -> None:
    """A process a seed. Spawned, not forked: a fork would copy torch's thread pools in an unusable state."""
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
    """Hands every message of the queue to `report` in a thread until the block ends."""

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
