"""train: a system from scratch -> data/models/{system}/{seed}.safetensors and {seed}.csv for each of its seeds."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.orchestration.jobs import seed_jobs
from fer.orchestration.side_by_side import train_seeds
from fer.orchestration.watchdog import die_with_dvc
from stages import clear_errors


@click.command(help=__doc__)
@click.argument("system")
@clear_errors
def main(*, system: str) -> None:
    die_with_dvc()
    params = load_params()
    jobs = seed_jobs(params, system, store=Path("data/normalised.h5"), out=Path("data/models") / system)
    train_seeds(jobs, workers=params.train.workers)


if __name__ == "__main__":
    main()
