"""A search over a system's parameters with Optuna: random or TPE, median pruning, several processes on one storage.

A trial is one run of the system's first seed, judged on PublicTest. Its parameters depend on its place alone where the
sampler is random, as in report 000, so that neither the number of processes nor a kill changes what is tried (but for
one before the first parameter is drawn: `forget_unborn`). A trial whose process was killed sends Optuna no heartbeat
any more: another process tries it again with the same parameters, from its checkpoint.
"""

import hashlib
import json
import multiprocessing
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import ValidationError

from fer.config.errors import explain
from fer.config.params import Dimension, Search
from fer.config.run import RunConfig
from fer.errors import UserError
from fer.files import file_lock
from fer.models.best_seed import validation_accuracy
from fer.models.networks import check
from fer.orchestration.checkpoint import checkpoint_for
from fer.orchestration.jobs import Job, run_job
from fer.orchestration.search_tables import line_of, parallel_table, parameters_of, table_of, write_table
from fer.orchestration.side_by_side import own_gpu, worker_count
from fer.orchestration.watchdog import die_with_parent
from fer.training.loop import Epoch
from fer.training.seeds import derived_seed

FOLDER = Path(".searches")  # git-ignored: locks, the weights of trials that run, and the default storage
HEARTBEAT = 15  # seconds from one to the next
GRACE = 60  # seconds without one after which a trial counts as killed
TRIALS, PARAMETERS = ".csv", "_parameters.csv"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


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

    @property
    def space(self) -> str:
        """Return the name in params.yaml of what may be tried."""
        return f"search.spaces.{self.job.system}" if self.search.spaces else "search.space"

    def config(self, changes: Mapping[str, Any]) -> RunConfig:
        """Return the block's with a trial's parameters, by their dotted names. Raise UserError."""
        try:
            config = self.job.config.changed(changes)
        except ValidationError as error:
            raise UserError("\n".join(explain(error, f"{self.space}."))) from None
        try:
            check(self.job.system, config)
        except UserError as error:
            changed = ", ".join(f"{name}={value}" for name, value in changes.items())
            raise UserError(f"{self.space}: {changed}: {error}") from None
        return config

    def run(self, trial: Trial | FrozenTrial) -> Job:
        """Return a trial's; a checkpoint's name has only the last part of `out`, so that a second try finds it."""
        out = FOLDER / self.name / str(trial.number) / self.job.out.name
        return replace(self.job, config=self.config(parameters_of(trial)), out=out)

    def file(self, ending: str) -> Path:
        """Return where a table or picture of the search goes."""
        return self.tables / f"{self.job.system}_{self.sampler}{ending}"


def search(plan: Plan, *, jobs: int) -> list[FrozenTrial]:
    """Run trials until `plan.trials` of the study have ended, its earlier ones among them; return those that have.

    At most `jobs` run side by side, on GPUs in turn. Raise UserError for a storage that cannot be opened, for a
    parameter outside of what the system takes, and for processes that ended before their time; the trials that have
    ended are kept.
    """
    check_space(plan)
    study = open_study(plan)
    count = worker_count([plan.job] * jobs, jobs)
    if count == 1:
        work(plan)
    else:
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=work_beside, args=(plan, place)) for place in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    tabulate(plan, study)
    ended = study.get_trials(states=ENDED)
    if len(ended) < plan.trials:
        raise UserError(f"{len(ended)} of {plan.trials} trials have ended; the same command goes on with the others")
    return ended


def check_space(plan: Plan) -> None:
    """Raise UserError, with the parameter's name, where an end of a range or a choice makes no valid run."""
    for name, dimension in plan.search.space.items():
        for value in dimension.choices or (dimension.low, dimension.high):
            plan.config({name: round(float(value or 0)) if dimension.whole else value})


def open_study(plan: Plan) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna says that of its heartbeat
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


def open_storage(url: str) -> RDBStorage:
    """Return it from what SQLAlchemy takes, `sqlite:///PATH` for one. Raise UserError."""
    waits = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}  # for another process's write
    try:
        return RDBStorage(
            url, waits, heartbeat_interval=HEARTBEAT, grace_period=GRACE, heartbeat_stale_trial_callback=try_again
        )
    except Exception as error:  # SQLAlchemy's errors are many
        reason = str(error).splitlines()[0]
        raise UserError(f"--storage {url}: {reason}; allowed: sqlite:///PATH, a database's URL") from None


def try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the trial's parameters, with the accuracies that it had reached."""
    RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)(study, trial)


def work_beside(plan: Plan, place: int) -> None:
    die_with_parent()
    own_gpu(plan.job.config.device, place)
    work(plan)


def work(plan: Plan) -> None:
    """Run trials one after another until enough have ended; wait for those of other processes, which may be killed."""
    study = open_study(plan)
    while True:
        with ExitStack() as drawing:  # one process at a time counts the trials and draws another
            drawing.enter_context(file_lock(FOLDER / f"{plan.name}.lock"))
            fail_stale_trials(study)
            forget_unborn(study)
            ended = len(study.get_trials(deepcopy=False, states=ENDED))
            if ended >= plan.trials:
                return
            if ended + len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))) < plan.trials:
                study.optimize(partial(run_trial, plan, study, drawing.close), 1, callbacks=[partial(end_trial, plan)])
                continue
        time.sleep(1)


def forget_unborn(study: optuna.Study) -> None:
    """Let trials fail whose process was killed before it chose a parameter: Optuna waits for their first heartbeat.

    Such a trial is not tried again: what its place would have drawn is never tried, a later place is.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        began = trial.datetime_start
        if not trial.params and began and (datetime.now() - began).total_seconds() > GRACE:
            study.tell(trial.number, state=TrialState.FAIL)


def run_trial(plan: Plan, study: optuna.Study, drawn: Callable[[], None], trial: Trial) -> float:
    """Train one run to its accuracy on PublicTest, or to the epoch in which it is pruned."""
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    tried_again = sum(bool(before.params) for before in failed)
    study.sampler = sampler(plan, trial.number - tried_again)
    for name, dimension in plan.search.space.items():
        suggest(trial, name, dimension)
    drawn()

    def report(_run: str, _done: int, _share: float, epoch: Epoch | None) -> None:
        if epoch:
            trial.report(epoch.validation_accuracy, epoch.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        job = plan.run(trial)
        run_job(job, report)
        return validation_accuracy(job.out / f"{job.seed}.safetensors")
    except optuna.TrialPruned:
        raise
    except (UserError, torch.OutOfMemoryError) as error:  # it diverged, or is too large: tried again it would be too
        print(f"trial {trial.number}: {error}", file=sys.stderr)
        raise optuna.TrialPruned from None
    except BaseException:  # Ctrl+C for one: Optuna lets the trial fail
        frozen = study.trials[trial.number]
        if frozen.state is TrialState.RUNNING:
            try_again(study, frozen)
        raise


def end_trial(plan: Plan, study: optuna.Study, trial: FrozenTrial) -> None:
    """Remove what the trial would have continued from; print its line and write the tables."""
    with suppress(UserError):  # parameters that do not go together: it never began
        job = plan.run(trial)
        with checkpoint_for(job.facts()) as checkpoint:
            checkpoint.remove()
        shutil.rmtree(job.out.parent, ignore_errors=True)
    with file_lock(FOLDER / f"{plan.name}.lock"):
        tabulate(plan, study)
    print(line_of(trial), flush=True)


def sampler(plan: Plan, place: int) -> BaseSampler:
    """Return one seeded by the trial's place: processes that share a study must not draw the same ones."""
    seed = derived_seed(plan.search.seed, "trial", place) % 2**32
    if plan.sampler == "random":
        return RandomSampler(seed)
    return TPESampler(seed=seed, constant_liar=True)  # trials that run beside this one count as poor ones


def suggest(trial: Trial, name: str, dimension: Dimension) -> None:
    low, high = dimension.low or 0.0, dimension.high or 0.0
    if dimension.choices:
        trial.suggest_categorical(name, dimension.choices)
    elif dimension.whole:
        trial.suggest_int(name, round(low), round(high), log=dimension.log)
    else:
        trial.suggest_float(name, low, high, log=dimension.log)


def tabulate(plan: Plan, study: optuna.Study) -> None:
    """Write the tables that `dvc plots` shows, without those that were tried again."""
    trials = study.get_trials(deepcopy=False, states=(*ENDED, TrialState.RUNNING))
    if len(table := table_of(trials)):
        write_table(plan.file(TRIALS), table)
        write_table(plan.file(PARAMETERS), parallel_table(table, plan.search.varied))
