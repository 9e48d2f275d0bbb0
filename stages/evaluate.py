"""evaluate: every metric, interval and figure of a system, from its predictions alone."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.evaluation.evaluate import Places, evaluate_system
from stages import clear_errors

METRICS, PLOTS = Path("metrics"), Path("plots")


@click.command(help=__doc__)
@click.argument("system")
@clear_errors
def main(system: str) -> None:
    places = Places(METRICS / f"{system}.json", METRICS / system, PLOTS / system)
    evaluate_system(Path("data/predictions") / system, places, **load_params().evaluate.model_dump())


if __name__ == "__main__":
    main()
