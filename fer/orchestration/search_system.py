"""params.yaml -> a search over one system's parameters, and the command that trains its best trial."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fer.config.params import Params
from fer.errors import UserError
from fer.orchestration.jobs import Job, seed_jobs, teacher_weights
from fer.orchestration.search import PARAMETERS, TRIALS, Plan, search
from fer.orchestration.search_figure import search_picture
from fer.orchestration.search_tables import best_of, line_of, parameters_of, table_of

STORE, TABLES = Path("data/normalised.h5"), Path("plots/search")


def search_system(params: Params, system: str, *, trials: int, jobs: int, sampler: str, storage: str) -> Iterator[str]:
    """Run the search and yield, line by line, what came out. Raise UserError."""
    plan = Plan(params.search.of(system), sampler, trials, storage, job_of(params, system), TABLES)
    ended = search(plan, jobs=jobs)
    yield f"dvc plots show {plan.file(TRIALS)} -t search -x trial -y accuracy --title '{system}: trials'"
    yield (
        f"dvc plots show {plan.file(PARAMETERS)} -t parallel_coordinates -x axis -y position "
        f"--title '{system}: parameters'"
    )
    best = best_of(ended)
    if best is None:
        yield "no trial went through to its end"
        return
    picture = plan.file(".png")
    search_picture(table_of(ended), plan.search.varied, picture)
    yield f"picture: {picture}"
    yield f"best {line_of(best)}"
    yield reproduce(system, parameters_of(best), params)


def job_of(params: Params, system: str) -> Job:
    """Return the system's first seed, with the teachers and the weights that the pipeline gives it.

    A system in no list of `run` starts at random and has no teacher. Raise UserError where something is missing.
    """
    weights = params.run.transfer.get(system)
    if weights and not Path(weights).exists():
        raise UserError(f"{weights}: not there; run.transfer names it for {system}")
    teacher = params.run.distil.get(system)
    job = seed_jobs(
        params, system, store=STORE, out=Path("weights"),
        teachers=lambda seed: teacher_weights(params, system, teacher, seed) if teacher else (),
        weights=Path(weights) if weights else None,
    )[0]  # fmt: skip
    if job.config.transfer.pretrained_on and not weights:
        raise UserError(f"{system}: starts from pretrained weights; run.transfer must name their file")
    return job


def reproduce(system: str, parameters: Mapping[str, Any], params: Params) -> str:
    """Return the command that trains the system with these parameters as the pipeline does, on all seeds.

    A plus is for what the block does not have yet. A system that does not run is put into the lists of `run`.
    """
    block = params.systems[system]
    changes = [
        f"'{'' if stands_in(block, name) else '+'}systems.{system}.{name}={written(value)}'"
        for name, value in parameters.items()
    ]
    if system not in params.run.systems:
        for group in ("train", "systems"):
            changes.append(f"'run.{group}=[{','.join((*getattr(params.run, group), system))}]'")
        changes.append(f"'~systems.{system}.not_run'")
    return " -S ".join(["dvc exp run", *changes])


def stands_in(block: Mapping[str, Any], name: str) -> bool:
    first, _, rest = name.partition(".")
    return first in block and (not rest or (isinstance(block[first], dict) and stands_in(block[first], rest)))


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
