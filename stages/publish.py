"""publish: the best seed of each small network that params.yaml names, kept in git."""

from pathlib import Path

import click

from fer.models.published import publish
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--models", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, models: Path, out: Path) -> None:
    publish(models, out, load_params().datasets[dataset].publish)


if __name__ == "__main__":
    main()
