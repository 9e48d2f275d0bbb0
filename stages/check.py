"""check: params.yaml is valid, before any other stage removes or writes anything; and what the others depend on.

Writes to {out}: `code/{stage}.txt`, the modules that a stage's result comes from; `networks/{system}.txt`, a system's
network layer by layer (those of the ablation in one file); `waiting.txt`, the names of the systems not run yet; and
`params.txt`, always the same. What depends on a file that stays the same does not run.
"""

from pathlib import Path

import click
import torch

from fer.code import code_of, require_candidates
from fer.files import write_text
from fer.models.zoo import MODELS, build, layout, require_networks
from fer.params import Dataset, load_params
from fer.recipe import System
from stages import clear_errors


@click.command(help=__doc__)
@click.option("--dataset", required=True)
@click.option("--stages", required=True, help="names, separated by commas")
@click.option("--out", required=True, type=click.Path(path_type=Path))
@clear_errors
def main(*, dataset: str, stages: str, out: Path) -> None:
    params = load_params()
    variants = params.ablation.variants
    require_candidates(params.ensemble.systems, Path("dvc.yaml"))
    require_networks(params.every_system | {f"ablation.{name}": system for name, system in variants.items()})
    limits = params.datasets[dataset]
    for name, system in params.systems.items():
        write_text(out / "networks" / f"{name}.txt", network_of(name, system, limits))
    texts = [network_of(name, system, limits) for name, system in variants.items()]
    write_text(out / "networks" / "ablation.txt", "".join(texts))
    write_text(out / "waiting.txt", "".join(f"{name}\n" for name in params.waiting))
    for stage in stages.split(","):
        write_text(out / "code" / f"{stage}.txt", code_of(stage))
    write_text(out / "params.txt", "params.yaml is valid\n")


def network_of(name: str, system: System, limits: Dataset) -> str:
    recipe = system.recipe(
        max_epochs=limits.epochs_of(name),
        max_input_size=limits.max_input_size,
        smallest=MODELS[system.model].smallest,
    )
    with torch.device("meta"):
        return layout(build(system.model, layers=recipe.layers.changes(), side=recipe.side))


if __name__ == "__main__":
    main()
