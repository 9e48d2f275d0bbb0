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
@click.option("--predictions", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@click.option("--plots", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, models: Path, store: Path, predictions: Path, metrics: Path, plots: Path) -> None:
    if is_noted(models):
        note_not_run(predictions, metrics, plots)
        return
    from fer.evaluation.evaluate import Places, Settings, evaluate_system  # noqa: PLC0415 - as in stages/train.py

    params = load_params()
    settings = Settings(
        **params.evaluate.model_dump(),
        device=params.train.device,
        precision=params.train.precision,
        threads=params.datasets[dataset].threads,
    )
    evaluate_system(models, store, Places(predictions, metrics, plots), settings)


if __name__ == "__main__":
    main()
