"""check: params.yaml is valid, before any other stage removes or writes anything; and what the others depend on.

Writes to {out}: `code/{stage}.txt`, the modules that a stage's result comes from; `networks/{system}.txt`, a system's
network layer by layer; and `params.txt`, always the same. What depends on a file that stays the same does not run.
"""

from pathlib import Path

import click
import torch

from fer.code import code_of
from fer.files import write_text
from fer.models.zoo import MODELS, build, layout, require_networks
from fer.params import load_params
from stages import clear_errors


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--stages", required=True, help="names, separated by commas")
@click.option("--out", required=True, type=click.Path(path_type=Path))
@clear_errors
def main(*, dataset: str, stages: str, out: Path) -> None:
    params = load_params()
    require_networks(params.systems)
    limits = params.datasets[dataset]
    for name, system in params.systems.items():
        smallest = MODELS[system.model].smallest
        recipe = system.recipe(
            max_epochs=limits.epochs_of(name), max_input_size=limits.max_input_size, smallest=smallest
        )
        with torch.device("meta"):
            network = build(system.model, layers=recipe.layers.changes(), side=recipe.side)
        write_text(out / "networks" / f"{name}.txt", layout(network))
    for stage in stages.split(","):
        write_text(out / "code" / f"{stage}.txt", code_of(stage))
    write_text(out / "params.txt", "params.yaml is valid\n")


if __name__ == "__main__":
    main()
