"""check: params.yaml is valid, before any other stage removes or writes anything; and what the others depend on.

Writes to {out}: `code/{stage}.txt`, the modules that a stage's result comes from; `runs/{system}.json`, what the runs
of a system are told (those of the ablation in one file); `evaluation.json`, what evaluations are told;
`networks/{system}.txt`, a system's network layer by layer; `waiting.txt`, the names of the systems not run yet; and
`params.txt`, always the same. What depends on a file that stays the same does not run.
"""

import json
from pathlib import Path
from typing import Any

import click
import torch

from fer.code import code_of, require_candidates
from fer.files import write_text
from fer.models.zoo import build, layout, require_networks
from fer.params import Dataset, Params, load_params
from fer.recipe import System
from stages import clear_errors
from stages.jobs import recipe_within


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
    write_systems(params, dataset, out)
    write_settings(out / "evaluation.json", params.evaluate.model_dump() | machine_of(params, dataset))
    write_text(out / "waiting.txt", "".join(f"{name}\n" for name in params.waiting))
    for stage in stages.split(","):
        write_text(out / "code" / f"{stage}.txt", code_of(stage))
    write_text(out / "params.txt", "params.yaml is valid\n")


def write_systems(params: Params, dataset: str, out: Path) -> None:
    """The runs and the network of every system, and those of the ablation in a file each."""
    variants, limits = params.ablation.variants, params.datasets[dataset]
    not_run = {"not run on": dataset}
    for name, system in params.systems.items():
        runs = runs_of(name, system, params, dataset) if dataset in system.datasets else not_run
        write_settings(out / "runs" / f"{name}.json", runs)
        write_text(out / "networks" / f"{name}.txt", network_of(name, system, limits))
    every = {name: runs_of(name, system, params, dataset) for name, system in variants.items()}
    write_settings(out / "runs" / "ablation.json", every if dataset in params.ablation.datasets else not_run)
    write_text(out / "networks" / "ablation.txt", "".join(network_of(*one, limits) for one in variants.items()))


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    write_text(path, json.dumps(settings, indent=2, sort_keys=True) + "\n")  # every digit: write_json would round


def runs_of(name: str, system: System, params: Params, dataset: str) -> dict[str, Any]:
    """What the runs of a system on a dataset are told: all that decides their result but data, code and who teaches."""
    limits = params.datasets[dataset]
    runs: dict[str, Any] = {
        "model": system.model,
        "recipe": recipe_within(limits, name, system).given,
        "seeds": limits.seeds[: system.max_seeds],
        **machine_of(params, dataset),
    }
    for teaching, students in ((params.distil, params.distil.systems), (params.ensemble, params.ensemble.students)):
        if name in students:
            runs["teacher"] = {"alpha": teaching.alpha, "temperature": teaching.temperature}
    if system.weights:
        runs["weights"] = {"folder": params.transfer.weights_dir, "at_hand": limits.weights}
    return runs


def machine_of(params: Params, dataset: str) -> dict[str, Any]:
    """How the numbers are computed; their last bits depend on it."""
    train = params.train
    return {"device": train.device, "precision": train.precision, "threads": params.datasets[dataset].threads}


def network_of(name: str, system: System, limits: Dataset) -> str:
    recipe = recipe_within(limits, name, system)
    with torch.device("meta"):
        return layout(build(system.model, layers=recipe.layers.changes(), side=recipe.side))


if __name__ == "__main__":
    main()
