"""ablation_table: what each ingredient is worth, over seeds and with intervals; the README's table of it."""

from pathlib import Path

import click

from fer.files import write_json
from fer.not_run import is_noted
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--models", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@click.option("--readme", required=True, type=PATH)
@clear_errors
def main(*, dataset: str, models: Path, store: Path, metrics: Path, readme: Path) -> None:
    if is_noted(models):
        write_json(metrics, {"variants": {}})
        return
    from fer.evaluation.ablation import Settings, measure_ablation, write_table  # noqa: PLC0415 - torch is not needed

    params = load_params()
    settings = Settings(
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.bootstrap_seed,
        batch_size=params.evaluate.batch_size,
        device=params.train.device,
        precision=params.train.precision,
        threads=params.datasets[dataset].threads,
    )
    write_json(metrics, measure_ablation(models, store, settings))
    write_table(metrics, readme, dataset)


if __name__ == "__main__":
    main()
