"""params.yaml -> the runs of one system, one for each of the dataset's seeds."""

import os
from pathlib import Path

from fer.models.zoo import MODELS
from fer.params import Params
from fer.training.job import Job, Teacher
from fer.training.runs import train_seeds
from fer.training.transfer import Pretrained

WEIGHTS = "FER_WEIGHTS"  # the environment's, where params.yaml names no folder: a path is a machine's own


def train_system(
    params: Params, *, dataset: str, system: str, store: Path, out: Path, teachers: Path | None = None
) -> None:
    """All seeds of a system. With `teachers`, a folder of trained weights, each learns from its seed's teacher."""
    jobs = seed_jobs(params, dataset=dataset, system=system, store=store, out=out, teachers=teachers)
    train_seeds(jobs, workers=params.train.workers)


def seed_jobs(
    params: Params, *, dataset: str, system: str, store: Path, out: Path, teachers: Path | None = None
) -> list[Job]:
    settings, limits = params.systems[system], params.datasets[dataset]
    recipe = settings.recipe(
        max_epochs=limits.epochs_of(system),
        max_input_size=limits.max_input_size,
        smallest=MODELS[settings.model].smallest,
    )
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
            teacher=Teacher(teachers / f"{seed}.safetensors", params.distil.alpha, params.distil.temperature)
            if teachers
            else None,
            pretrained=pretrained(params, settings.weights, required=limits.weights == "required"),
        )
        for seed in limits.seeds[: settings.max_seeds]
    ]


def pretrained(params: Params, name: str | None, *, required: bool) -> Pretrained | None:
    folder = params.transfer.weights_dir or os.environ.get(WEIGHTS)
    return Pretrained(name, Path(folder) if folder else None, required) if name else None
