"""Runs as plain values: one for each seed of a system, each with the checkpoint that it continues from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.config.params import Params
from fer.config.run import RunConfig
from fer.errors import DistributedError, UserError
from fer.files import sha256_of
from fer.models.device import describe_device, pick_device, pick_precision
from fer.orchestration.checkpoint import checkpoint_for
from fer.training.distributed import group_facts
from fer.training.loop import Epoch
from fer.training.run import train_run

MODELS = Path("data/models")
Report = Callable[[str, int, float, Epoch | None], None]  # a run's name, then as fer.training.loop.Progress


@dataclass(frozen=True)
class Job:
    """One run, as plain values that travel to another process."""

    system: str
    config: RunConfig
    seed: int
    store: Path
    out: Path
    teachers: tuple[Path, ...] = ()
    weights: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.system} seed {self.seed}"

    def facts(self) -> dict[str, Any]:
        """Return all that decides the result, files by their hash: a checkpoint's name is made of it."""
        device = pick_device(self.config.device)
        return {
            "system": self.system,
            "config": self.config.model_dump(),
            "seed": self.seed,
            "store": sha256_of(self.store),
            "out": self.out.name,
            "teachers": [sha256_of(path) for path in self.teachers],
            "weights": sha256_of(self.weights) if self.weights else None,
            "device": describe_device(device),
            "precision": str(pick_precision(self.config.precision, device)),
            **group_facts(),
        }


def seed_jobs(
    params: Params,
    system: str,
    *,
    store: Path,
    out: Path,
    teachers: Callable[[int], tuple[Path, ...]] = lambda _seed: (),
    weights: Path | None = None,
    config: RunConfig | None = None,
) -> list[Job]:
    """Return a job for each of the system's seeds; `teachers` names a seed's, `config` stands for the system's own.

    Raise UserError for a system that params.yaml does not have, and for a file that is not there.
    """
    if system not in params.systems:
        raise UserError(f"{system}: no such system; known: {', '.join(params.systems)}")
    config = config or params.config(system)
    jobs = [Job(system, config, seed, store, out, teachers(seed), weights) for seed in params.seeds_of(system)]
    for path in (path for job in jobs for path in (job.store, *job.teachers)):
        if not path.exists():
            raise UserError(f"{path}: not there; `dvc repro` writes it")
    return jobs


def teacher_weights(params: Params, system: str, teacher: str, seed: int) -> tuple[Path, ...]:
    """Return the files that a seed of a student learns from: its teacher's of that seed, or of all."""
    every = params.config(system).distil.teachers == "all"
    return tuple(MODELS / teacher / f"{one}.safetensors" for one in (params.seeds_of(teacher) if every else (seed,)))


def run_job(job: Job, report: Report) -> None:
    """Train one seed, or continue it, and write {seed}.safetensors and {seed}.csv under `job.out`.

    Raise UserError, with the run's name, for weights that do not fit and for a training that diverges.
    """
    with checkpoint_for(job.facts()) as checkpoint:
        try:
            train_run(
                job.config, system=job.system, seed=job.seed, store=job.store, out=job.out, teachers=job.teachers,
                weights=job.weights, checkpoint=checkpoint, report=lambda *progress: report(job.name, *progress),
            )  # fmt: skip
        except DistributedError:
            raise
        except UserError as error:
            raise UserError(f"{job.name}: {error}") from None
