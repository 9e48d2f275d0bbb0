"""distil_ensemble: a student, each seed taught by every seed of its teachers -> data/models/{system}/, as train."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.orchestration.jobs import seed_jobs
from fer.orchestration.side_by_side import train_seeds
from fer.orchestration.watchdog import die_with_dvc
from stages import clear_errors

MODELS = Path("data/models")


@click.command(help=__doc__)
@click.argument("system")
@click.option("--teacher", "teachers", required=True, multiple=True)
@clear_errors
def main(*, system: str, teachers: tuple[str, ...]) -> None:
    die_with_dvc()
    params = load_params()
    members = tuple(MODELS / name / f"{seed}.safetensors" for name in teachers for seed in params.seeds_of(name))
    jobs = seed_jobs(
        params, system, store=Path("data/normalised.h5"), out=MODELS / system, teachers=lambda _seed: members
    )
    train_seeds(jobs, workers=params.train.workers)


if __name__ == "__main__":
    main()
