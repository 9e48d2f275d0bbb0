"""report: one page that stands alone, with the dataset's own faces; for the drawn faces also the page kept in git."""

from pathlib import Path

import click

from fer.html_report.material import Material
from fer.html_report.page import PUBLIC_FACES, write_public_report, write_report
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--out", required=True, type=PATH)
@click.option("--public", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, out: Path, public: Path) -> None:
    write_report(Material.of(dataset, dataset), out)
    if dataset == PUBLIC_FACES:
        write_public_report(public)


if __name__ == "__main__":
    main()
