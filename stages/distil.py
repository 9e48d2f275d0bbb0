"""distil: a student, taught by that seed of its teacher or by all of them -> data/models/{system}/, as train."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.orchestration.jobs import MODELS, seed_jobs, teacher_weights
from fer.orchestration.side_by_side import train_seeds
from fer.orchestration.watchdog import die_with_dvc
from stages import clear_errors


@click.command(help=__doc__)
@click.argument("system")
@click.option("--teacher", required=True)
@clear_errors
def main(*, system: str, teacher: str) -> None:
    die_with_dvc()
    params = load_params()
    jobs = seed_jobs(
        params, system, store=Path("data/normalised.h5"), out=MODELS / system,
        teachers=lambda seed: teacher_weights(params, system, teacher, seed),
    )  # fmt: skip
    train_seeds(jobs, workers=params.train.workers)


if __name__ == "__main__":
    main()
