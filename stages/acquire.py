"""acquire: the competition's CSV and the crowd's votes on its faces, drawn for `synthetic`, found for `fer2013`."""

from pathlib import Path

import click

from fer.data.sources import acquire_fer2013, find_source
from fer.data.synthetic import write_synthetic_csv
from fer.data.votes import acquire_votes
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--out", required=True, type=PATH)
@click.option("--votes", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, out: Path, votes: Path) -> None:
    settings = load_params().datasets[dataset]
    if settings.faces is not None and settings.drawing_seed is not None:
        write_synthetic_csv(out, seed=settings.drawing_seed, faces=settings.faces, votes=votes)
    else:
        acquire_votes(settings.votes, votes)
        acquire_fer2013(find_source(settings.source), out)


if __name__ == "__main__":
    main()
