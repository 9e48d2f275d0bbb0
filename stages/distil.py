"""distil: a student of a trained teacher -> {out}/{seed}.safetensors and {seed}.csv for each of the dataset's seeds."""

from pathlib import Path

import click

from fer.params import load_params
from fer.training.runs import train_or_skip
from fer.training.watchdog import die_with_dvc
from stages import clear_errors
from stages.jobs import seed_jobs

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--system", required=True)
@click.option("--teachers", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, system: str, teachers: Path, store: Path, out: Path) -> None:
    die_with_dvc()
    params = load_params()
    jobs = seed_jobs(params, dataset=dataset, system=system, store=store, out=out, teachers=teachers)
    train_or_skip(jobs, out, runs=dataset in params.systems[system].datasets, workers=params.train.workers)


if __name__ == "__main__":
    main()
