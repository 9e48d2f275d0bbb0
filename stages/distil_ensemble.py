"""distil_ensemble: a student of the ensemble's members -> {out}/{seed}.safetensors and {seed}.csv for each seed."""

from pathlib import Path

import click

from fer.not_run import leave_note
from fer.params import load_params
from fer.training.watchdog import die_with_dvc
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--system", required=True)
@click.option("--ensemble", required=True, type=PATH)
@click.option("--models", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, system: str, ensemble: Path, models: Path, store: Path, out: Path) -> None:
    params = load_params()
    if dataset not in params.systems[system].datasets:
        leave_note(out)
        return
    from stages.jobs import all_teachers, train_system  # noqa: PLC0415 - importing torch takes longer than leaving a note

    die_with_dvc()
    teachers = all_teachers(params, ensemble, models)
    train_system(params, dataset=dataset, system=system, store=store, out=out, teachers=teachers)


if __name__ == "__main__":
    main()
