"""params.yaml -> the runs of one system, one for each of the dataset's seeds."""

from pathlib import Path

from fer.params import Params
from fer.training.runs import Job, Teacher


def seed_jobs(params: Params, *, dataset: str, system: str, store: Path, out: Path, teachers: Path | None) -> list[Job]:
    """With `teachers`, a folder of trained weights, each seed learns from the teacher of the same seed."""
    settings = params.systems[system]
    return [
        Job(
            dataset=dataset,
            system=system,
            model=settings.model,
            seed=seed,
            recipe=settings.recipe(params.datasets[dataset].max_epochs),
            store=store,
            out=out,
            device=params.train.device,
            precision=params.train.precision,
            threads=params.train.threads,
            teacher=Teacher(teachers / f"{seed}.safetensors", params.distil.alpha, params.distil.temperature)
            if teachers
            else None,
        )
        for seed in params.datasets[dataset].seeds
    ]
