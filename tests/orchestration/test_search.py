"""The search: the same trials in any number of processes, after a kill, and as a command line."""

import contextlib
import csv
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dvc.utils.hydra import apply_overrides
from optuna.trial import FrozenTrial, TrialState

from fer.config.params import PARAMS, Dimension, Params, Search, load_params
from fer.config.run import RunConfig
from fer.data.normalise import normalise_store
from fer.errors import UserError
from fer.orchestration import search as search_module
from fer.orchestration.jobs import Job, Report, run_job
from fer.orchestration.search import (
    PARAMETERS,
    TRIALS,
    Plan,
    check_space,
    forget_unborn,
    open_storage,
    open_study,
    search,
    suggest,
)
from fer.orchestration.search_system import job_of, reproduce, search_system
from fer.orchestration.search_tables import accuracy_of, parameters_of
from tests.data.test_normalise import write_store

ROOT = Path(__file__).parents[2]
SPACE = {
    "lr": Dimension(low=0.001, high=0.1, log=True),
    "batch_size": Dimension(low=10, high=40, whole=True),
    "augment.shift": Dimension(choices=(0.0, 0.1)),
}
SHORT = {
    "batch_size": 20, "optimizer": "adam", "lr": 0.01, "patience": None, "device": "cpu", "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write_store(folder / "clean.h5")
    normalise_store(folder / "clean.h5", folder / "store.h5", drop_leaked=False)
    return folder / "store.h5"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(epochs: int) -> RunConfig:
    return load_params(ROOT / PARAMS).config("lausanne_cnn1").changed(SHORT | {"epochs": epochs})


def plan(store: Path, *, trials: int = 3, epochs: int = 5, **changes: Any) -> Plan:
    values: dict[str, Any] = {
        "search": Search(space=SPACE, spaces={}, startup_trials=9, warm_up_epochs=1, seed=0),
        "sampler": "random",
        "trials": trials,
        "storage": "sqlite:///.searches/trials.db",
        "job": Job("lausanne_cnn1", config(epochs), 0, store, Path("weights")),
        "tables": Path("plots"),
    }
    return Plan(**(values | changes))


def tried(trials: list[FrozenTrial]) -> list[tuple[Any, ...]]:
    return sorted((tuple(parameters_of(trial).items()), accuracy_of(trial), trial.state.name) for trial in trials)


@pytest.fixture(scope="module")
def alone(store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What one process finds that nothing interrupts."""
    with contextlib.chdir(tmp_path_factory.mktemp("alone")):
        return tried(search(plan(store), jobs=1))


def test_trials_are_runs_and_stand_in_the_tables(store: Path, tmp_path: Path, alone: list[Any]) -> None:
    ended = search(plan(store), jobs=1)
    assert tried(ended) == alone
    assert [trial.number for trial in ended] == [0, 1, 2]
    assert {trial.state for trial in ended} == {TrialState.COMPLETE}
    assert {max(trial.intermediate_values) for trial in ended} == {5}
    assert len({trial.params["lr"] for trial in ended}) == 3
    assert all(0.001 <= trial.params["lr"] <= 0.1 for trial in ended)
    assert all(trial.params["batch_size"] in range(10, 41) for trial in ended)
    trials, parallel = (
        list(csv.DictReader(path.open())) for path in (plan(store).file(TRIALS), plan(store).file(PARAMETERS))
    )
    assert [float(row["best"]) for row in trials] == [
        max(float(row["accuracy"]) for row in trials[: place + 1]) for place in range(3)
    ]
    assert {row["axis"] for row in parallel} == {"1 lr", "2 batch_size", "3 augment.shift", "4 accuracy"}
    assert all(0 <= float(row["position"]) <= 1 for row in parallel)
    assert not list(tmp_path.glob(".checkpoints/*.pt"))
    assert not list(tmp_path.glob(".searches/*/*/weights"))
    assert search(plan(store), jobs=1) == ended  # all have ended: nothing is trained


@pytest.mark.full  # two processes that import everything
def test_two_processes_share_the_trials(store: Path, alone: list[tuple[Any, ...]]) -> None:
    assert tried(search(plan(store), jobs=2)) == alone


def test_a_killed_search_goes_on(store: Path, alone: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    killed = multiprocessing.get_context("spawn").Process(target=search, args=(plan(store),), kwargs={"jobs": 1})
    killed.start()
    checkpoints = Path(".checkpoints")
    while len(list(checkpoints.glob("*.lock"))) < 2 or not list(checkpoints.glob("*.pt")):  # amid the second trial
        time.sleep(0.02)
        assert killed.is_alive()
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    left = open_study(plan(store)).get_trials(states=(TrialState.RUNNING,))
    assert len(left) == 1
    monkeypatch.setattr(search_module, "GRACE", 1)
    assert tried(search(plan(store), jobs=1)) == alone
    failed = open_study(plan(store)).get_trials(states=(TrialState.FAIL,))
    assert [trial.params for trial in failed] == [left[0].params]


def test_a_poor_trial_is_pruned(store: Path) -> None:
    """Rates from nothing to useful ones: what learns nothing falls below the median."""
    space = {"lr": Dimension(low=1e-7, high=0.01, log=True)}
    pruned = plan(
        store, trials=8, epochs=4, search=Search(space=space, spaces={}, startup_trials=2, warm_up_epochs=1, seed=1)
    )
    ended = search(pruned, jobs=1)
    assert {trial.state for trial in ended} == {TrialState.PRUNED, TrialState.COMPLETE}
    assert all(max(trial.intermediate_values) < 4 for trial in ended if trial.state is TrialState.PRUNED)
    assert not list(Path(".checkpoints").glob("*.pt"))


def test_tpe_learns_from_earlier_trials(store: Path) -> None:
    ended = search(plan(store, sampler="tpe", trials=3, epochs=1), jobs=1)
    assert len(ended) == 3
    assert len({trial.params["lr"] for trial in ended}) == 3


def test_an_interrupted_trial_is_tried_again_at_once(
    store: Path, alone: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C in the second of three trials, amid other processes' trials or not: nothing waits for a heartbeat."""

    def interrupted(job: Job, report: Report) -> None:
        def stopped(*message: Any) -> None:
            report(*message)
            if message[-1] and message[1] == 2:
                raise KeyboardInterrupt

        run_job(job, stopped if job.out.parent.name == "1" else report)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(search_module, "run_job", interrupted)
        search(plan(store), jobs=1)
    before = time.monotonic()
    ended = search(plan(store), jobs=1)
    assert time.monotonic() - before < search_module.GRACE
    assert tried(ended) == alone
    study = open_study(plan(store))
    states = [trial.state.name for trial in study.get_trials()]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.trials[2].params == study.trials[1].params
    assert list(study.trials[2].intermediate_values) == [1, 2, 3, 4, 5]  # two of them from before


def test_the_trial_of_another_process_is_waited_for(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = plan(store, trials=2, epochs=1)
    study = open_study(wanted)
    other = study.ask()
    for name, dimension in SPACE.items():
        suggest(other, name, dimension)
    waits: list[float] = []

    def end(seconds: float) -> None:
        waits.append(seconds)
        study.tell(other, 0.5)

    monkeypatch.setattr(time, "sleep", end)
    assert [trial.number for trial in search(wanted, jobs=1)] == [0, 1]
    assert waits == [1]


def test_a_trial_killed_before_its_first_heartbeat_is_not_waited_for(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(plan(store, trials=1, epochs=1))
    study.ask()
    for grace, expected in ((60, TrialState.RUNNING), (-1, TrialState.FAIL)):
        monkeypatch.setattr("fer.orchestration.search.GRACE", grace)
        forget_unborn(study)
        assert study.trials[0].state is expected


@pytest.mark.parametrize(
    ("name", "dimension", "message"),
    [
        ("momentum", {"low": 0.5, "high": 1.5}, r"search\.space\.momentum: 1\.5: input should be less than 1"),
        ("lr_decay", {"choices": [0.9, "fast"]}, r"search\.space\.lr_decay: 'fast': input should be a valid number"),
        ("schedule.shape", {"choices": ["none", "linear"]}, r"search\.space: schedule: decides every step's rate"),
        ("input_size", {"low": 16, "high": 48, "whole": True}, r"search\.space: input_size=16: .* are too small"),
        ("network.dropout", {"low": 0.0, "high": 1.5}, r"search\.space\.network\.dropout: 1\.5: input should be less"),
        ("network.width", {"choices": [1, 2]}, r"search\.space\.network\.width"),
    ],
)
def test_a_space_that_leaves_what_the_system_takes_is_named(
    store: Path, name: str, dimension: dict[str, Any], message: str
) -> None:
    searched = Search(space={name: Dimension(**dimension)}, spaces={}, startup_trials=1, warm_up_epochs=1, seed=0)
    job = Job(
        "tuwani", load_params(ROOT / PARAMS).config("tuwani").changed({"lr_decay": 0.9}), 0, store, Path("weights")
    )
    with pytest.raises(UserError, match=message):
        search(plan(store, search=searched, job=job), jobs=1)
    assert not Path(".searches").exists()


def test_a_space_of_the_systems_own_is_named_as_it_stands() -> None:
    wrong = {"momentum": Dimension(low=0.5, high=1.5)}
    settings = load_params(ROOT / PARAMS).search.model_copy(update={"spaces": {"lausanne_cnn1": wrong}})
    with pytest.raises(UserError, match=r"search\.spaces\.lausanne_cnn1\.momentum: 1\.5: input should be less than 1"):
        check_space(plan(Path("store"), search=settings.of("lausanne_cnn1")))


def test_parameters_that_do_not_go_together_are_a_pruned_trial(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each end is checked alone before the first trial; what they do together shows when it is drawn."""

    def refuse(_system: str, changed: RunConfig) -> None:
        if changed.lr != SHORT["lr"] and changed.batch_size != SHORT["batch_size"]:
            raise UserError("not both")

    monkeypatch.setattr(search_module, "check", refuse)
    assert [trial.state for trial in search(plan(store, trials=2), jobs=1)] == [TrialState.PRUNED] * 2
    assert re.search(r"^trial 0: search\.space: lr=.*, batch_size=.*: not both$", capsys.readouterr().err, re.MULTILINE)


def test_a_storage_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match=r"--storage nowhere: .*allowed: sqlite"):
        open_storage("nowhere")


@pytest.fixture
def params(store: Path, tmp_path: Path) -> Params:
    """The root's, in a folder with a store."""
    shutil.copy(ROOT / PARAMS, tmp_path)
    Path("data").mkdir()
    shutil.copy(store, "data/normalised.h5")
    return load_params()


def test_a_search_from_params_to_the_command_that_trains_its_best_trial(params: Params) -> None:
    few = params.systems["lausanne_cnn1"] | {"epochs": 5, "batch_size": 20, "device": "cpu"}
    space = params.search.space | {"epochs": Dimension(choices=(1,))}
    params = params.model_copy(
        update={
            "systems": params.systems | {"lausanne_cnn1": few},
            "search": params.search.model_copy(update={"space": space}),
        }
    )
    lines = list(
        search_system(params, "lausanne_cnn1", trials=2, jobs=1, sampler="random", storage="sqlite:///trials.db")
    )
    folder = Path("plots/search")
    assert {path.name for path in folder.iterdir()} == {
        "lausanne_cnn1_random.csv", "lausanne_cnn1_random_parameters.csv", "lausanne_cnn1_random.png",
    }  # fmt: skip
    assert lines[0].startswith("dvc plots show plots/search/lausanne_cnn1_random.csv -t search ")
    assert lines[-2].startswith("best trial ")
    axes = set(pd.read_csv(folder / "lausanne_cnn1_random_parameters.csv")["axis"])
    assert axes == {"1 lr", "2 weight_decay", "3 lr_decay", "4 accuracy"}, "one choice is no axis"
    assert set(pd.read_csv(folder / "lausanne_cnn1_random.csv")["epochs_trained"]) == {1}
    assert lines[-1].startswith("dvc exp run -S 'systems.lausanne_cnn1.lr=")


def test_a_system_is_searched_in_its_own_space() -> None:
    settings = load_params(ROOT / PARAMS).search
    assert settings.of("cs231n_fast").space == settings.spaces["cs231n_fast"] != settings.space
    assert settings.of("tuwani").space == settings.space
    assert settings.of("cs231n").varied == settings.space, "report 000's three parameters, in shorter trials"


def test_a_systems_job_is_the_pipelines(params: Params) -> None:
    assert job_of(params, "cs231n_fast").config == params.config("cs231n_fast")
    with pytest.raises(UserError, match="resnet: no such system; known: cs231n_baseline, "):
        job_of(params, "resnet")
    Path("data/normalised.h5").unlink()
    with pytest.raises(UserError, match=r"data/normalised\.h5: not there"):
        job_of(params, "cs231n")


def run_changed(params: Params, **lists: Any) -> Params:
    return params.model_copy(update={"run": params.run.model_copy(update=lists)})


def test_a_student_is_searched_with_its_teachers_first_seed(params: Params) -> None:
    students = run_changed(params, distil={"cs231n_student": "tuwani"})
    teacher = Path("data/models/tuwani/0.safetensors")
    with pytest.raises(UserError, match=r"data/models/tuwani/0\.safetensors: not there"):
        job_of(students, "cs231n_student")
    teacher.parent.mkdir(parents=True)
    for seed in params.seeds_of("cs231n_student"):
        teacher.with_stem(str(seed)).touch()
    assert job_of(students, "cs231n_student").teachers == (teacher,)


def test_a_system_is_searched_from_its_pretrained_weights(params: Params) -> None:
    with pytest.raises(UserError, match=r"vgg16_frozen: starts from pretrained weights; run\.transfer must name their"):
        job_of(run_changed(params, transfer={}), "vgg16_frozen")
    transferred = run_changed(params, transfer={"vgg16_frozen": "data/weights/vgg16.pth"})
    with pytest.raises(UserError, match=r"data/weights/vgg16\.pth: not there; run\.transfer names it for vgg16_frozen"):
        job_of(transferred, "vgg16_frozen")
    Path("data/weights").mkdir()
    Path("data/weights/vgg16.pth").touch()
    assert job_of(transferred, "vgg16_frozen").weights == Path("data/weights/vgg16.pth")


@pytest.mark.parametrize("system", ["cs231n_baseline", "cs231n"])
def test_the_printed_line_is_valid_parameters(params: Params, system: str) -> None:
    """Put into params.yaml by DVC's own overrides, it is the best trial's run, whatever the block had before."""
    parameters = {"lr": 1.234e-05, "augment.rotation": 12.5, "network.dropout": 0.2, "nesterov": True, "ema": 0.9}
    words = shlex.split(reproduce(system, parameters, params))
    assert words[:3] == ["dvc", "exp", "run"]
    apply_overrides(PARAMS, words[4::2])
    after = load_params()
    assert after.config(system) == params.config(system).changed(parameters)
    assert set(after.run.systems) == {*params.run.systems, system}
    assert after.run.train.count(system) == 1


def test_the_line_of_a_system_that_runs_is_short(params: Params) -> None:
    line = reproduce("tuwani", {"patience": 4, "momentum": 0.5}, params)
    assert line == "dvc exp run -S 'systems.tuwani.patience=4' -S '+systems.tuwani.momentum=0.5'"
