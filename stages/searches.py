"""params.yaml -> a search over one system's parameters, and what a person does with its best trial."""

import operator
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fer.errors import UserError
from fer.evaluation.search_figure import search_picture
from fer.evaluation.search_plots import TrialRow, best_row
from fer.params import ABLATION, PARAMS, Params
from fer.training.search import Plan, search, tables_of
from stages.jobs import one_teacher, seed_jobs


def search_system(params: Params, system: str, **options: Any) -> Iterator[str]:
    """Runs the search and says, line by line, what came out. Raises UserError."""
    jobs = options.pop("jobs")
    plan = plan_of(params, system, **options)
    rows = search(plan, jobs=jobs)
    best, (trials, parallel) = best_row(rows), tables_of(plan)
    yield f"dvc plots show {trials} -t search -x trial -y accuracy --title '{system}: trials'"
    yield f"dvc plots show {parallel} -t parallel_coordinates -x axis -y position --title '{system}: parameters'"
    if best is None:
        yield "no trial went through to its end"
    else:
        search_picture(rows, plan.search.space, trials.with_suffix(".png"))
        yield f"picture: {trials.with_suffix('.png')}"
        yield f"best {best.line}"
        yield reproduce(system, best, params)


def plan_of(params: Params, system: str, *, trials: int, sampler: str, storage: str) -> Plan:
    if system not in params.searchable:
        raise UserError(
            f"{system}: no system to search; known: {', '.join(params.searchable)} "
            "(one that waits must be moved to systems first)"
        )
    dataset = params.dataset
    store = Path("data/normalised") / f"{dataset}.h5"
    if not store.exists():
        raise UserError(f"{store}: not there yet; `dvc repro normalise@{dataset}` writes it")
    models = Path("data/models") / dataset / params.distil.teacher
    teachers = one_teacher(params, models) if system in params.distil.systems else None
    searched = params.model_copy(update={"systems": params.searchable})
    job = seed_jobs(searched, dataset=dataset, system=system, store=store, out=Path("weights"), teachers=teachers)[0]
    return Plan(
        searched.systems[system], params.datasets[dataset], params.search.of(system), sampler, trials, storage, job,
        tables=Path("plots") / dataset / "search",
    )  # fmt: skip


def reproduce(system: str, best: TrialRow, params: Params) -> str:
    """The command that trains the best trial as the pipeline does; a plus is for what the block does not have yet.

    No stage trains a recipe: of one, the command writes the parameters into its block.
    """
    place = place_of(system, params)
    block = reduce(
        operator.getitem, place.split("."), YAML(typ="safe", pure=True).load(PARAMS.read_text(encoding="utf-8"))
    )
    changes = [
        f"-S '{'' if stands_in(block, name) else '+'}{place}.{name}={written(value)}'"
        for name, value in best.parameters.items()
    ]
    runs = params.searchable[system].datasets
    if system in params.systems and params.dataset not in runs:
        changes.append(f"-S '{place}.datasets=[{','.join((*runs, params.dataset))}]'")
    return " ".join(["dvc exp run", *changes])


def place_of(system: str, params: Params) -> str:
    """The dotted name of its block in params.yaml."""
    if system == ABLATION:
        return "ablation.base"
    return f"{'recipes' if system in params.recipes else 'systems'}.{system}"


def stands_in(block: Mapping[str, Any], name: str) -> bool:
    first, _, rest = name.partition(".")
    return first in block and (not rest or (isinstance(block[first], dict) and stands_in(block[first], rest)))


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
