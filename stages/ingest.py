"""ingest: raw CSV -> clean store, rejected rows with their reasons, near-duplicates, the audit of copies and leaks."""

from pathlib import Path

import click

from fer.data.fer2013 import ingest
from fer.files import write_json
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--csv", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--rejected", required=True, type=PATH)
@click.option("--near-duplicates", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@clear_errors
def main(*, csv: Path, store: Path, rejected: Path, near_duplicates: Path, metrics: Path) -> None:
    correlation = load_params().clean.near_duplicate_correlation
    content = ingest(csv, store, rejected, near_duplicates, near_duplicate_correlation=correlation)
    write_json(metrics, content)


if __name__ == "__main__":
    main()
