"""compare: every system beside the others and its report -> summary.json, pictures, README's tables, MODEL_CARD.md."""

from pathlib import Path

import click

from fer.evaluation.compare import Places, Sources, compare_systems
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--predictions", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--near-duplicates", required=True, type=PATH)
@click.option("--votes", required=True, type=PATH)
@click.option("--audit", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@click.option("--plots", required=True, type=PATH)
@click.option("--figures", required=True, type=PATH)
@click.option("--readme", required=True, type=PATH)
@click.option("--model-card", required=True, type=PATH)
@clear_errors
def main(
    *,
    dataset: str,
    predictions: Path,
    store: Path,
    near_duplicates: Path,
    votes: Path,
    audit: Path,
    metrics: Path,
    plots: Path,
    figures: Path,
    readme: Path,
    model_card: Path,
) -> None:
    params = load_params()
    compare_systems(
        dataset,
        Sources(predictions, store, near_duplicates, votes, audit),
        Places(metrics, plots, figures, readme, model_card),
        waiting=params.not_run_on(dataset),
        pairs=params.compare.pairs,
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.bootstrap_seed,
    )


if __name__ == "__main__":
    main()
