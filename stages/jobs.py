"""params.yaml -> the runs of one system, one for each of the dataset's seeds."""

import os
from collections.abc import Callable
from pathlib import Path

from fer.models.zoo import MODELS
from fer.params import Dataset, Params
from fer.recipe import Recipe, System
from fer.training.committee import Committee, read_committee
from fer.training.job import Job, Teacher
from fer.training.runs import train_seeds
from fer.training.transfer import Pretrained

WEIGHTS = "FER_WEIGHTS"  # the environment's, where params.yaml names no folder: a path is a machine's own


Teachers = Callable[[int], Teacher | Committee]  # of a seed


def one_teacher(params: Params, folder: Path) -> Teachers:
    """Each seed learns from that seed of the trained system in `folder`."""
    distil = params.distil
    return lambda seed: Teacher(folder / f"{seed}.safetensors", distil.alpha, distil.temperature)


def all_teachers(params: Params, ensemble: Path, models: Path) -> Teachers:
    """Every seed learns from all members of the ensemble, which `ensemble` (its metrics) names."""
    settings = params.ensemble
    committee = read_committee(ensemble, models, alpha=settings.alpha, temperature=settings.temperature)
    return lambda _: committee


def train_system(
    params: Params, *, dataset: str, system: str, store: Path, out: Path, teachers: Teachers | None = None
) -> None:
    """All seeds of a system, each with its teacher where there are any."""
    jobs = seed_jobs(params, dataset=dataset, system=system, store=store, out=out, teachers=teachers)
    train_seeds(jobs, workers=params.train.workers)


def train_variants(params: Params, variants: dict[str, System], *, dataset: str, store: Path, out: Path) -> None:
    """All seeds of systems that stand in no table, each in its folder of `out`; goes on where it was interrupted."""
    of_variants = params.model_copy(update={"systems": variants})
    jobs = [
        job
        for name in variants
        for job in seed_jobs(of_variants, dataset=dataset, system=name, store=store, out=out / name)
    ]
    train_seeds(jobs, workers=params.train.workers)


def seed_jobs(
    params: Params, *, dataset: str, system: str, store: Path, out: Path, teachers: Teachers | None = None
) -> list[Job]:
    settings, limits = params.systems[system], params.datasets[dataset]
    recipe = recipe_within(limits, system, settings)
    return [
        Job(
            dataset=dataset,
            system=system,
            model=settings.model,
            seed=seed,
            recipe=recipe,
            store=store,
            out=out,
            device=params.train.device,
            precision=params.train.precision,
            threads=limits.threads,
            teacher=teachers(seed) if teachers else None,
            pretrained=pretrained(params, settings.weights, required=limits.weights == "required"),
        )
        for seed in limits.seeds[: settings.max_seeds]
    ]


def recipe_within(limits: Dataset, name: str, system: System) -> Recipe:
    """The system's recipe under the dataset's caps."""
    return system.recipe(
        max_epochs=limits.epochs_of(name),
        max_input_size=limits.max_input_size,
        smallest=MODELS[system.model].smallest,
    )


def pretrained(params: Params, name: str | None, *, required: bool) -> Pretrained | None:
    folder = params.transfer.weights_dir or os.environ.get(WEIGHTS)
    return Pretrained(name, Path(folder) if folder else None, required) if name else None
