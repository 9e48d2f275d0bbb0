"""A search over a system's parameters with Optuna: random or TPE, median pruning, several processes on one storage.

A trial is one run of the system's first seed, judged on PublicTest. Its parameters depend on its place alone where the
sampler is random, as in report 000, so that neither the number of processes nor a kill changes what is tried. A trial
that a kill left behind is tried again with the same parameters and goes on from its checkpoint.
"""

import fcntl
import hashlib
import json
import multiprocessing
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import ValidationError
from safetensors import safe_open

from fer.config.errors import explain
from fer.config.params import Dimension, Search
from fer.config.run import RunConfig
from fer.errors import UserError
from fer.files import file_lock
from fer.models.classifier import METADATA_KEY
from fer.models.networks import check
from fer.orchestration.checkpoint import checkpoint_for
from fer.orchestration.jobs import Job, run_job
from fer.orchestration.search_tables import TrialRow, write_parallel, write_trials
from fer.orchestration.watchdog import die_with_parent
from fer.training.loop import Epoch
from fer.training.seeds import derived_seed

FOLDER = Path(".searches")  # git-ignored: locks, the weights of trials that run, and the default storage
JOURNAL = "journal:"
SILENT = 3600  # seconds; another machine's trial that ends no epoch for so long counts as left behind
DIGITS = 4  # significant ones that a float parameter has
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


@dataclass(frozen=True)
class Plan:
    """A search as plain values that travel to another process.

    `job` is the run of the system's block as it stands; a trial's has another config. `tables` is where the tables go.
    """

    search: Search
    sampler: str
    trials: int
    storage: str
    job: Job
    tables: Path

    @cached_property
    def name(self) -> str:
        """Return the study's name: what its trials have in common is in it, so that no others are mixed in."""
        common = (self.job.facts(), self.search.model_dump())
        digest = hashlib.sha256(json.dumps(common, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return f"{self.job.system}-{self.sampler}-{digest}"

    def config(self, changes: Mapping[str, Any]) -> RunConfig:
        """Return the block's with a trial's parameters, by their dotted names. Raise UserError."""
        try:
            config = self.job.config.changed(changes)
        except ValidationError as error:
            raise UserError("\n".join(explain(error, "search.space."))) from None
        check(self.job.system, config)
        return config


def search(plan: Plan, *, jobs: int) -> list[TrialRow]:
    """Run trials until `plan.trials` of the study have ended, its earlier ones among them; return all of them.

    Raise UserError for a storage that cannot be opened, for a parameter outside of what the system takes, and for
    processes that ended before their time; the trials that have ended are kept.
    """
    check_space(plan)
    study = open_study(plan)
    if jobs == 1:
        work(plan)
    else:
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=work_beside, args=(plan,)) for _ in range(jobs)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    rows = tabulate(plan, study)
    ended = sum(row.ended for row in rows)
    if ended < plan.trials:
        raise UserError(f"{ended} of {plan.trials} trials have ended; the same command goes on with the others")
    return rows


def check_space(plan: Plan) -> None:
    """Raise UserError, with the parameter's name, where an end of a range or a choice makes no valid run."""
    for name, dimension in plan.search.space.items():
        for value in dimension.choices or (dimension.low, dimension.high):
            plan.config({name: round(float(value or 0)) if dimension.whole else value})


def open_study(plan: Plan) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    FOLDER.mkdir(exist_ok=True)
    pruner = optuna.pruners.MedianPruner(plan.search.startup_trials, plan.search.warm_up_epochs)
    with file_lock(FOLDER / "storage.lock"):  # two processes that make the same tables at once fail
        return optuna.create_study(
            storage=open_storage(plan.storage),
            study_name=plan.name,
            direction="maximize",
            pruner=pruner,
            load_if_exists=True,
        )


def open_storage(url: str) -> BaseStorage:
    """Return it from `journal:PATH` or what SQLAlchemy takes, `sqlite:///PATH` for one. Raise UserError."""
    if url.startswith(JOURNAL):
        return JournalStorage(JournalFileBackend(url.removeprefix(JOURNAL)))
    waits = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}  # for another process's write
    try:
        return RDBStorage(url, engine_kwargs=waits)
    except Exception as error:  # SQLAlchemy's errors are many
        reason = str(error).splitlines()[0]
        raise UserError(f"--storage {url}: {reason}; allowed: journal:PATH, sqlite:///PATH, a database's URL") from None


def work_beside(plan: Plan) -> None:
    die_with_parent()
    work(plan)


def work(plan: Plan) -> None:
    """Run trials one after another until there are enough."""
    study = open_study(plan)
    while True:
        with file_lock(FOLDER / f"{plan.name}.lock"):
            revive(plan, study)
            if len(study.get_trials(deepcopy=False, states=COUNTED)) >= plan.trials:
                return
            trial = study.ask()
            mark(trial)
            alive = lock_of(plan, trial.number).open("w")
            fcntl.flock(alive, fcntl.LOCK_EX)
            failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        study.sampler = sampler(plan, trial.number - len(failed))  # each of them was tried again in place of another
        run_trial(plan, study, trial, alive)


def sampler(plan: Plan, place: int) -> BaseSampler:
    """Return one seeded by the trial's place: processes that share a study must not draw the same ones."""
    seed = derived_seed(plan.search.seed, "trial", place) % 2**32
    if plan.sampler == "random":
        return RandomSampler(seed)
    return TPESampler(seed=seed, constant_liar=True)  # trials that run beside this one count as poor ones


def lock_of(plan: Plan, number: int) -> Path:
    """Return the lock that the process of a trial holds as long as it lives."""
    path = FOLDER / plan.name / f"{number}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def revive(plan: Plan, study: optuna.Study) -> None:
    """Let trials fail that no process holds any more, and queue their parameters again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_left_behind(plan, trial):
            study.tell(trial.number, state=TrialState.FAIL)
            if trial.params:
                study.enqueue_trial(trial.params)


def is_left_behind(plan: Plan, trial: FrozenTrial) -> bool:
    """Tell by its lock on this machine; elsewhere, or killed as it began, by the time since it was last seen."""
    if trial.user_attrs.get("host") == socket.gethostname():
        return is_free(lock_of(plan, trial.number))
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - float(trial.user_attrs.get("seen", began)) > SILENT


def mark(trial: Trial) -> None:
    """Write down on which machine the trial runs, and when it was last seen."""
    trial.set_user_attr("host", socket.gethostname())
    trial.set_user_attr("seen", time.time())


def is_free(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def run_trial(plan: Plan, study: optuna.Study, trial: Trial, alive: TextIO) -> None:
    """Train one run to its accuracy on PublicTest, or to the epoch in which it is pruned."""
    changes = {name: suggest(trial, name, dimension) for name, dimension in plan.search.space.items()}
    out = FOLDER / plan.name / str(trial.number) / plan.job.out.name  # of which a checkpoint's key has the last part
    job = replace(plan.job, config=plan.config(changes), out=out)

    def report(_run: str, _done: int, _share: float, epoch: Epoch | None) -> None:
        if epoch:
            trial.report(epoch.validation_accuracy, epoch.epoch)
            trial.set_user_attr("epochs", epoch.epoch)
            mark(trial)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        run_job(job, report)
        study.tell(trial, best_accuracy(out / f"{job.seed}.safetensors"))
    except (optuna.TrialPruned, UserError):  # UserError: it diverged
        study.tell(trial, state=TrialState.PRUNED)
    with checkpoint_for(job.facts()) as checkpoint:
        checkpoint.remove()
    shutil.rmtree(out.parent, ignore_errors=True)
    with file_lock(FOLDER / f"{plan.name}.lock"):
        alive.close()
        rows = tabulate(plan, study)
    print(next(row.line for row in rows if row.number == trial.number), flush=True)


def suggest(trial: Trial, name: str, dimension: Dimension) -> Any:
    """Return a value with few digits, so that the command line that repeats it is exact and short."""
    if dimension.choices:
        return trial.suggest_categorical(name, dimension.choices)
    assert dimension.low is not None
    assert dimension.high is not None
    if dimension.whole:
        return trial.suggest_int(name, round(dimension.low), round(dimension.high), log=dimension.log)
    return few_digits(trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log))


def few_digits(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def best_accuracy(weights: Path) -> float:
    """Return PublicTest's, of the epoch that was kept."""
    with safe_open(weights, framework="pt") as file:
        return float(json.loads(file.metadata()[METADATA_KEY])["validation_accuracy"])


def tabulate(plan: Plan, study: optuna.Study) -> list[TrialRow]:
    """Return every trial but those that were tried again; write the tables that `dvc plots` shows of them."""
    trials = study.get_trials(deepcopy=False, states=COUNTED)
    rows = [row_of(plan, trial) for trial in trials if trial.params]
    trials_table, parallel_table = tables_of(plan)
    write_trials(trials_table, rows)
    write_parallel(parallel_table, rows, plan.search.space)
    return rows


def tables_of(plan: Plan) -> tuple[Path, Path]:
    name = f"{plan.job.system}_{plan.sampler}"
    return plan.tables / f"{name}.csv", plan.tables / f"{name}_parameters.csv"


def row_of(plan: Plan, trial: FrozenTrial) -> TrialRow:
    seen = list(trial.intermediate_values.values())
    accuracy = trial.value if trial.state is TrialState.COMPLETE else max(seen, default=None)
    parameters = {name: few_digits(trial.params[name]) for name in plan.search.space if name in trial.params}
    return TrialRow(trial.number, trial.state.name.lower(), accuracy, trial.user_attrs.get("epochs", 0), parameters)
