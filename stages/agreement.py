"""agreement: networks and labels against FER+'s votes, where data/votes.csv has any."""

from pathlib import Path

import click

from fer.evaluation.agreement import write_agreement
from stages import clear_errors


@click.command(help=__doc__)
@clear_errors
def main() -> None:
    write_agreement(
        Path("data/predictions"), Path("data/votes.csv"), Path("metrics/agreement.json"), Path("plots/agreement")
    )


if __name__ == "__main__":
    main()
