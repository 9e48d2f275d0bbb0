"""acquire: the competition's CSV and FER+ votes on its rows, from whatever form of them lies in data/source."""

from pathlib import Path

import click

from fer.data.acquire import acquire
from stages import stage


@stage()
def main() -> None:
    for line in acquire(Path("data/source"), Path("data/raw.csv"), Path("data/votes.csv")):
        click.echo(line)


if __name__ == "__main__":
    main()
