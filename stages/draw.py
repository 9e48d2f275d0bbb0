"""draw: synthetic faces and FER+ votes on them, in the competition's format."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.data.synthetic import write_synthetic_csv
from stages import clear_errors

SOURCE = Path("data/source")


@click.command(help=__doc__)
@clear_errors
def main() -> None:
    draw = load_params().draw
    votes = SOURCE / "fer2013new.csv"
    write_synthetic_csv(SOURCE / "fer2013.csv", seed=draw.seed, faces=draw.faces, votes=votes)


if __name__ == "__main__":
    main()
