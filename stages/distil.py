"""distil: a student of a trained teacher -> {out}/{seed}.safetensors and {seed}.csv for each of the dataset's seeds."""

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
@click.option("--teachers", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, system: str, teachers: Path, store: Path, out: Path) -> None:
    params = load_params()
    if dataset not in params.systems[system].datasets:
        leave_note(out)
        return
    from stages.jobs import one_teacher, train_system  # noqa: PLC0415 - importing torch takes longer than leaving a note

    die_with_dvc()
    teacher = one_teacher(params, teachers)
    train_system(params, dataset=dataset, system=system, store=store, out=out, teachers=teacher)


if __name__ == "__main__":
    main()
