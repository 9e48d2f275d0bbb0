"""ablation: each ingredient of a recipe alone -> {out}/{variant}/{seed}.safetensors and {seed}.csv."""

from pathlib import Path

import click

from fer.not_run import leave_note
from fer.params import load_params
from fer.training.watchdog import die_with_dvc
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--store", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, store: Path, out: Path) -> None:
    params = load_params()
    if dataset not in params.ablation.datasets:
        leave_note(out)
        return
    from stages.jobs import train_variants  # noqa: PLC0415 - importing torch takes longer than leaving a note

    die_with_dvc()
    train_variants(params, params.ablation.variants, dataset=dataset, store=store, out=out)


if __name__ == "__main__":
    main()
