"""The search: the same trials in any number of processes, after a kill, and as a command line."""

import contextlib
import csv
import multiprocessing
import os
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from dvc.utils.hydra import apply_overrides
from optuna.distributions import FloatDistribution

from fer.errors import UserError
from fer.evaluation.search_plots import TrialRow
from fer.params import PARAMS, Dimension, Search, load_params
from fer.recipe import System
from fer.training.search import SILENT, Plan, open_storage, open_study, search, tables_of
from stages.searches import plan_of, reproduce
from tests.training.test_loop import recipe
from tests.training.test_runs import jobs, own_folder, store  # noqa: F401 (fixtures)

ROOT = Path(__file__).parents[2]
SPACE = {
    "learning_rate": Dimension(low=0.001, high=0.1, log=True),
    "batch_size": Dimension(low=10, high=40, whole=True),
    "augment.shift": Dimension(choices=(0.0, 0.1)),
}
LIMITS = load_params(ROOT / PARAMS).datasets["fer2013"]


def plan(store: Path, *, trials: int = 3, epochs: int = 5, **changes: Any) -> Plan:  # noqa: F811
    settings = System(model="lausanne_cnn1", datasets=(), **recipe(epochs=epochs).model_dump(exclude_unset=True))
    values: dict[str, Any] = {
        "settings": settings,
        "limits": LIMITS,
        "search": Search(space=SPACE, startup_trials=9, warm_up_epochs=1, seed=0),
        "sampler": "random",
        "trials": trials,
        "storage": "sqlite:///.searches/trials.db",
        "job": jobs(store, Path("weights"), seeds=(0,), model="lausanne_cnn1", recipe=settings.recipe(
            max_epochs=None, max_input_size=None, smallest=48))[0],
        "tables": Path("plots"),
    }  # fmt: skip
    return Plan(**(values | changes))


def tried(rows: list[TrialRow]) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.parameters.items()), row.accuracy, row.state) for row in rows)


@pytest.fixture(scope="module")
def alone(store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:  # noqa: F811
    """What one process finds that nothing interrupts, in a journal."""
    with contextlib.chdir(tmp_path_factory.mktemp("alone")):
        Path(".searches").mkdir()
        return tried(search(plan(store, storage="journal:.searches/trials.log"), jobs=1))


def test_trials_are_runs_and_stand_in_the_tables(store: Path, tmp_path: Path, alone: list[Any]) -> None:  # noqa: F811
    rows = search(plan(store), jobs=1)
    assert tried(rows) == alone
    assert [row.number for row in rows] == [0, 1, 2]
    assert {row.state for row in rows} == {"complete"}
    assert {row.epochs for row in rows} == {5}
    assert len({row.parameters["learning_rate"] for row in rows}) == 3
    assert all(0.001 <= row.parameters["learning_rate"] <= 0.1 for row in rows)
    assert all(row.parameters["batch_size"] in range(10, 41) for row in rows)
    trials, parallel = (list(csv.DictReader(path.open())) for path in tables_of(plan(store)))
    assert [float(row["best"]) for row in trials] == [
        max(float(row["accuracy"]) for row in trials[: place + 1]) for place in range(3)
    ]
    assert {row["axis"] for row in parallel} == {"1 learning_rate", "2 batch_size", "3 augment.shift", "4 accuracy"}
    assert all(0 <= float(row["position"]) <= 1 for row in parallel)
    assert not list(tmp_path.glob(".checkpoints/*.pt"))
    assert not list(tmp_path.glob(".searches/*/*/weights"))
    assert search(plan(store), jobs=1) == rows  # all have ended: nothing is trained


@pytest.mark.full  # two processes that import everything
def test_two_processes_share_the_trials(store: Path, alone: list[tuple[Any, ...]]) -> None:  # noqa: F811
    assert tried(search(plan(store), jobs=2)) == alone


def test_a_killed_search_goes_on(store: Path, alone: list[tuple[Any, ...]]) -> None:  # noqa: F811
    killed = multiprocessing.get_context("spawn").Process(target=search, args=(plan(store),), kwargs={"jobs": 1})
    killed.start()
    checkpoints = Path(".checkpoints")
    while len(list(checkpoints.glob("*.lock"))) < 2 or not list(checkpoints.glob("*.pt")):  # amid the second trial
        time.sleep(0.02)
        assert killed.is_alive()
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    left = open_study(plan(store)).get_trials(states=(optuna.trial.TrialState.RUNNING,))
    assert len(left) == 1
    assert tried(search(plan(store), jobs=1)) == alone
    failed = open_study(plan(store)).get_trials(states=(optuna.trial.TrialState.FAIL,))
    assert [trial.params for trial in failed] == [left[0].params]


def test_a_poor_trial_is_pruned(store: Path) -> None:  # noqa: F811
    """Rates from nothing to useful ones: what learns nothing falls below the median."""
    space = {"learning_rate": Dimension(low=1e-7, high=0.01, log=True)}
    pruned = plan(store, trials=8, epochs=4, search=Search(space=space, startup_trials=2, warm_up_epochs=1, seed=1))
    rows = search(pruned, jobs=1)
    assert {"pruned", "complete"} == {row.state for row in rows}
    assert all(row.epochs < 4 for row in rows if row.state == "pruned")
    assert not list(Path(".checkpoints").glob("*.pt"))


def test_tpe_learns_from_earlier_trials(store: Path) -> None:  # noqa: F811
    rows = search(plan(store, sampler="tpe", trials=3, epochs=1), jobs=1)
    assert len(rows) == 3
    assert len({row.parameters["learning_rate"] for row in rows}) == 3


def test_a_silent_trial_of_another_machine_is_tried_again(store: Path) -> None:  # noqa: F811
    wanted = plan(store, trials=2, epochs=1)
    study = open_study(wanted)
    for seen in (time.time(), time.time() - 2 * SILENT):
        trial = study.ask({"learning_rate": FloatDistribution(0.001, 0.1, log=True)})
        trial.set_user_attr("host", "another")
        trial.set_user_attr("seen", seen)
    with pytest.raises(UserError, match="1 of 2 trials have ended"):
        search(wanted, jobs=1)
    states = [trial.state.name for trial in study.get_trials()]
    assert states == ["RUNNING", "FAIL", "COMPLETE"]
    assert study.trials[2].params["learning_rate"] == study.trials[1].params["learning_rate"]


def test_what_cannot_be_searched_is_named(store: Path) -> None:  # noqa: F811
    space = {"momentum": Dimension(low=0.5, high=1.5)}
    with pytest.raises(UserError, match=r"search\.space: momentum: 1\.5: input should be less than 1"):
        search(plan(store, search=Search(space=space, startup_trials=1, warm_up_epochs=1, seed=0)), jobs=1)
    with pytest.raises(UserError, match=r"--storage nowhere: .*allowed: journal:PATH, sqlite"):
        open_storage("nowhere")
    with pytest.raises(UserError, match="resnet: no system to search; known: cs231n_baseline, "):
        plan_of(load_params(ROOT / PARAMS), "resnet", trials=1, sampler="random", storage="")


def test_the_printed_line_is_valid_parameters(tmp_path: Path) -> None:
    """Put into params.yaml by DVC's own overrides, it is the best trial's recipe, whatever the block had before."""
    (tmp_path / PARAMS).write_text((ROOT / PARAMS).read_text())
    params = load_params()
    parameters = {"learning_rate": 1.234e-05, "augment.rotation": 12.5, "layers.dropout": 0.2, "nesterov": True}
    line = reproduce("cs231n", TrialRow(3, "complete", 0.6, 2, parameters), params)
    words = shlex.split(line)
    assert words[:3] == ["dvc", "exp", "run"]
    apply_overrides(PARAMS, words[4::2])
    system = load_params().systems["cs231n"]
    assert (system.learning_rate, system.augment.rotation, system.nesterov) == (1.234e-05, 12.5, True)
    assert system == params.systems["cs231n"].changed(parameters)
    elsewhere = reproduce("lausanne_cnn2", TrialRow(0, "complete", 0.6, 2, {}), params)
    assert "'systems.lausanne_cnn2.datasets=[fer2013,synthetic]'" in elsewhere


def test_a_recipe_is_searched_in_its_own_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = load_params(ROOT / PARAMS)
    monkeypatch.chdir(tmp_path)
    faces = Path("data/normalised/synthetic.h5")
    faces.parent.mkdir(parents=True)
    faces.touch()
    planned = plan_of(params, "cs231n_fast", trials=1, sampler="random", storage="")
    assert planned.search.space == params.search.spaces["cs231n_fast"] != params.search.space
    assert planned.job.recipe.schedule == params.recipes["cs231n_fast"].schedule
    assert plan_of(params, "cs231n", trials=1, sampler="random", storage="").search.space == params.search.space


@pytest.mark.parametrize(("system", "place"), [("cs231n_fast", "recipes.cs231n_fast"), ("ablation", "ablation.base")])
def test_the_line_of_what_is_no_row_of_the_table(
    system: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PARAMS).write_text((ROOT / PARAMS).read_text())
    monkeypatch.chdir(tmp_path)
    params = load_params()
    line = reproduce(system, TrialRow(0, "complete", 0.6, 2, {"learning_rate": 0.004, "ema": 0.9}), params)
    assert line == f"dvc exp run -S '{place}.learning_rate=0.004' -S '+{place}.ema=0.9'"
    apply_overrides(PARAMS, shlex.split(line)[4::2])
    assert load_params().searchable[system] == params.searchable[system].changed({"learning_rate": 0.004, "ema": 0.9})
