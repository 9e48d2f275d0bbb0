"""ingest: raw CSV -> clean store, rejected rows with their reasons, and the audit of duplicates and leaks."""

from pathlib import Path

import click

from fer.data.fer2013 import ingest
from fer.files import write_json
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--csv", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--rejected", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@clear_errors
def main(*, csv: Path, store: Path, rejected: Path, metrics: Path) -> None:
    write_json(metrics, ingest(csv, store, rejected))


if __name__ == "__main__":
    main()
