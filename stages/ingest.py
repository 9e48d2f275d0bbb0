"""ingest: raw CSV -> clean store, rejected rows with their reasons, near-duplicates, the audit of copies and leaks."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.data.ingest import ingest
from fer.data.pictures import draw_data
from fer.files import write_json
from stages import stage

STORE, NEAR_DUPLICATES = Path("data/clean.h5"), Path("data/near_duplicates.csv")


@stage()
def main() -> None:
    clean = load_params().clean
    content = ingest(
        Path("data/raw.csv"),
        STORE,
        Path("data/rejected.csv"),
        NEAR_DUPLICATES,
        near_duplicate_correlation=clean.near_duplicate_correlation,
        max_rejected=clean.max_rejected,
        report=click.echo,
    )
    write_json(Path("metrics/data.json"), content)
    draw_data(STORE, NEAR_DUPLICATES, pictures=Path("data/pictures"), plots=Path("plots/data"))


if __name__ == "__main__":
    main()
