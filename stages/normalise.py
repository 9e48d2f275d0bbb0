"""normalise: clean store -> the store that training reads, with statistics fitted on Training only."""

from pathlib import Path

import click

from fer.data.normalise import normalise_store
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--store", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@clear_errors
def main(*, store: Path, out: Path) -> None:
    params = load_params()
    normalise_store(store, out, method=params.normalise.method, drop_leaked=params.clean.drop_leaked)


if __name__ == "__main__":
    main()
