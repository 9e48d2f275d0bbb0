"""ensemble: members chosen on PublicTest -> the mean of their probabilities, as one more system, and who they are."""

from pathlib import Path

import click

from fer.evaluation.ensemble import write_ensemble, write_paragraph
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--predictions", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@click.option("--readme", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, predictions: Path, out: Path, metrics: Path, readme: Path) -> None:
    params = load_params()
    write_ensemble(
        predictions,
        params.ensemble.systems,
        out,
        metrics,
        rounds=params.ensemble.rounds,
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.bootstrap_seed,
    )
    write_paragraph(metrics, readme, dataset)


if __name__ == "__main__":
    main()
