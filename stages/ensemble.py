"""ensemble: members chosen on PublicTest -> the mean of their probabilities, as one more system, and who they are."""

from pathlib import Path

import click

from fer.evaluation.ensemble import write_ensemble
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--predictions", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@clear_errors
def main(*, predictions: Path, out: Path, metrics: Path) -> None:
    params = load_params()
    write_ensemble(
        predictions,
        [system for system in params.systems if system not in params.ensemble.students],
        out,
        metrics,
        rounds=params.ensemble.rounds,
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.bootstrap_seed,
    )


if __name__ == "__main__":
    main()
