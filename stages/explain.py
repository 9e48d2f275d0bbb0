"""explain: what a system's best seed looks at, whether the maps say so rightly, and galleries of its answers."""

from pathlib import Path

import click

from fer.interpretability.notes import note_not_run
from fer.not_run import is_noted
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--models", required=True, type=PATH)
@click.option("--predictions", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--faces", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@click.option("--plots", required=True, type=PATH)
@clear_errors
def main(
    *, dataset: str, models: Path, predictions: Path, store: Path, faces: Path, metrics: Path, plots: Path
) -> None:
    if is_noted(models):
        note_not_run(faces, metrics, plots)
        return
    from fer.interpretability.explain import Places, Settings, explain_system  # noqa: PLC0415 - as in stages/train.py

    params = load_params()
    settings = Settings(
        faces=params.datasets[dataset].explain_faces,
        shown=params.explain.shown,
        gallery=params.explain.gallery,
        steps=params.explain.steps,
        seed=params.evaluate.bootstrap_seed,
        resamples=params.evaluate.resamples,
        device=params.train.device,
        threads=params.datasets[dataset].threads,
    )
    explain_system(models, predictions, store, Places(faces, metrics, plots), settings)


if __name__ == "__main__":
    main()
