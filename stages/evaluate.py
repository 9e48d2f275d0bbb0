"""evaluate: logits of every test face, and all that is measured and drawn from them, for each seed of a system."""

from pathlib import Path

import click

from fer.evaluation.plots_data import note_not_run
from fer.not_run import is_noted
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--models", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--near-duplicates", required=True, type=PATH)
@click.option("--votes", required=True, type=PATH)
@click.option("--predictions", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@click.option("--plots", required=True, type=PATH)
@clear_errors
def main(
    *,
    dataset: str,
    models: Path,
    store: Path,
    near_duplicates: Path,
    votes: Path,
    predictions: Path,
    metrics: Path,
    plots: Path,
) -> None:
    if is_noted(models):
        note_not_run(predictions, metrics, plots)
        return
    from fer.evaluation.evaluate import (  # noqa: PLC0415 - as in stages/train.py
        Places,
        Settings,
        Sources,
        evaluate_system,
    )
    from fer.evaluation.predict import Runtime  # noqa: PLC0415

    params = load_params()
    train, evaluate = params.train, params.evaluate
    runtime = Runtime(train.device, train.precision, params.datasets[dataset].threads, evaluate.batch_size)
    evaluate_system(
        Sources(models, store, near_duplicates, votes),
        Places(predictions, metrics, plots),
        Settings(evaluate.resamples, evaluate.bootstrap_seed, runtime),
    )


if __name__ == "__main__":
    main()
