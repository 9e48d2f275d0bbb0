"""DVC as its users know it, run for real in a clone with a small dataset and short trainings."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SYSTEMS = {"train": ["cs231n_baseline", "cs231n", "le_deep"], "transfer": ["mobilenet_v2"]}  # le_deep: not run here
TEACHER = "train@synthetic-cs231n"


class Clone:
    """A copy of the working tree as a repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": ""}
        listed = self.run("git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", cwd=ROOT).stdout
        for name in listed.splitlines():
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        self.run("git", "init", "-q", "-b", "main")

    def run(self, *command: str, cwd: Path | None = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command, check=False, cwd=cwd or self.folder, env=self.environment, capture_output=True, text=True
        )
        assert (result.returncode != 0) == fails, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message, "--allow-empty")

    def params(self) -> Any:
        return YAML(typ="safe", pure=True).load((self.folder / "params.yaml").read_text())

    def write_params(self, params: Any) -> None:
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)

    def keep_candidates(self, systems: set[str]) -> None:
        """Leaves those among the ensemble's candidates, which dvc.yaml names one by one."""
        path = self.folder / "dvc.yaml"
        graph = YAML(typ="safe", pure=True).load(path.read_text())
        deps = graph["stages"]["ensemble"]["deps"]
        graph["stages"]["ensemble"]["deps"] = [
            dep for dep in deps if not dep.startswith("data/predictions/") or Path(dep).name in systems
        ]
        with path.open("w") as file:
            YAML(typ="safe", pure=True).dump(graph, file)

    def status(self) -> str:
        return self.run("git", "status", "--porcelain").stdout

    def outs(self, stage: str) -> list[Any]:
        """What dvc.lock says that a stage wrote."""
        lock = YAML(typ="safe", pure=True).load((self.folder / "dvc.lock").read_text())
        return [(out["path"], out["md5"]) for out in lock["stages"][stage]["outs"]]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """After one whole `dvc repro` of the small dataset, committed."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    (clone.folder / "dvc.lock").unlink()  # DVC writes all of it after each stage: the whole graph's takes 2 seconds
    params = clone.params()
    few = {"faces": 160, "max_epochs": 6, "epochs": {"mobilenet_v2": 1}, "explain_faces": 1}
    params["datasets"]["synthetic"] |= few
    params["explain"]["systems"] = ["cs231n"]
    params["evaluate"]["resamples"] = 200
    for stage, names in SYSTEMS.items():
        params[stage]["systems"] = names
    kept = {*SYSTEMS["train"], *SYSTEMS["transfer"], *params["distil"]["systems"]}
    waiting = clone.folder / "waiting.yaml"
    blocks = params["systems"] | YAML(typ="safe", pure=True).load(waiting.read_text())
    params["systems"] = {name: blocks[name] for name in blocks if name in kept}
    waiting.write_text("{}\n")
    params["systems"]["mobilenet_v2"]["datasets"].append("synthetic")
    params["ensemble"]["systems"] = [name for name in params["ensemble"]["systems"] if name in kept]
    params["compare"]["pairs"] = [pair for pair in params["compare"]["pairs"] if kept.issuperset(pair)]
    clone.write_params(params)
    clone.keep_candidates(kept)
    clone.commit("small")
    clone.run("dvc", "repro")
    clone.commit("run")
    return clone


def test_a_second_repro_changes_nothing(clone: Clone) -> None:
    assert "Data and pipelines are up to date" in clone.run("dvc", "repro").stdout
    assert clone.status() == ""


def test_every_out_is_the_same_in_a_second_run(clone: Clone) -> None:
    lock = (clone.folder / "dvc.lock").read_text()
    clone.run("dvc", "repro", "--force", "--no-run-cache")
    assert (clone.folder / "dvc.lock").read_text() == lock
    assert clone.status() == ""


def test_an_experiment_shows_what_a_change_did(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "-S", "systems.cs231n.learning_rate=0.01", "-n", "fast")
    metrics = clone.run("dvc", "metrics", "diff", "--md").stdout
    assert "metrics/synthetic/cs231n/0.json" in metrics.replace("\\", "/")
    assert "PrivateTest.accuracy" in metrics
    params = clone.run("dvc", "params", "diff").stdout
    assert "systems.cs231n.learning_rate" in params
    assert "0.00127" in params
    shown = clone.run("dvc", "exp", "show", "--csv").stdout
    assert "fast" in shown
    plots = clone.run("dvc", "plots", "diff", "HEAD", "-o", "shown").stdout
    assert "index.html" in plots
    page = (clone.folder / "shown" / "index.html").read_text()
    assert "plots/synthetic/cs231n/loss.csv" in page.replace("::", "/")
    shutil.rmtree(clone.folder / "shown")
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout")
    assert clone.status() == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("systems.cs231n.learning_rate=-1", "systems.cs231n.learning_rate: -1: input should be greater than 0"),
        ("systems.cs231n.epochs=many", "systems.cs231n.epochs: 'many': input should be a valid integer"),
        ("systems.cs231n.model=resnet", "systems.cs231n.model=resnet: no such network"),
        ("systems.cs231n.learnin_rate=1", "learnin_rate"),
    ],
)
def test_a_wrong_parameter_ends_before_anything_is_touched(clone: Clone, change: str, message: str) -> None:
    weights = clone.folder / "data" / "models" / "synthetic" / "cs231n" / "0.safetensors"
    before = weights.stat().st_mtime_ns
    result = clone.run("dvc", "exp", "run", "-S", change, fails=True)
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert weights.stat().st_mtime_ns == before
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout")
    assert clone.status() == ""


def test_an_unknown_dataset_ends_and_everything_comes_back_from_the_cache(clone: Clone) -> None:
    """`dvc exp run` itself takes the outs of another dataset from the workspace; they stay in DVC's cache."""
    result = clone.run("dvc", "exp", "run", "-S", "dataset=imagenet", fails=True)
    assert "dataset=imagenet: no such name; known: " in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout")
    assert "Data and pipelines are up to date" in clone.run("dvc", "repro").stdout
    assert clone.status() == ""


def test_a_system_is_a_row_and_a_block_and_no_other_trains_again(clone: Clone) -> None:
    zoo, params = clone.folder / "fer" / "models" / "zoo.py", clone.params()
    row = """    "tiny": Row(
        build=partial(stack, blocks=((4, 3),), hidden=(8,), norm_hidden=False),
        layers=Layers(), source="a test", left_open="-", parameters=18_519,
    ),
"""
    zoo.write_text(zoo.read_text().replace("MODELS: dict[str, Row] = {\n", "MODELS: dict[str, Row] = {\n" + row, 1))
    params["train"]["systems"].append("tiny")
    params["systems"]["tiny"] = params["systems"]["cs231n"] | {"model": "tiny", "epochs": 2}
    clone.write_params(params)
    ran = clone.run("dvc", "repro").stdout
    assert "Running stage 'train@synthetic-tiny'" in ran
    assert "Running stage 'evaluate@synthetic-tiny'" in ran
    assert "Running stage 'train@synthetic-cs231n'" not in ran
    assert "Running stage 'evaluate@synthetic-cs231n'" not in ran
    assert "| tiny | " in (clone.folder / "README.md").read_text()
    clone.run("git", "checkout", "-q", ".")
    clone.run("git", "clean", "-fdq", "metrics", "plots")
    clone.run("dvc", "checkout")
    assert clone.status() == ""


def wait_for(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02 if seconds < 600 else 5)


@pytest.mark.parametrize("whole_tree", [True, False])
def test_a_killed_repro_goes_on_and_ends_in_the_same_bytes(clone: Clone, whole_tree: bool) -> None:
    expected = clone.outs(TEACHER)
    checkpoints = clone.folder / ".checkpoints"
    assert not list(checkpoints.glob("*.pt"))
    process = clone.start("dvc", "repro", "--force", "--single-item", TEACHER)
    wait_for(lambda: list(checkpoints.glob("*.pt")))
    family = psutil.Process(process.pid).children(recursive=True)
    for victim in [psutil.Process(process.pid), *(family if whole_tree else [])]:
        victim.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family, timeout=30)
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list(checkpoints.glob("*.pt"))
    result = clone.run("dvc", "repro", "--force", "--single-item", TEACHER)
    assert "epoch 1/" not in result.stderr
    assert clone.outs(TEACHER) == expected
    assert not list(checkpoints.glob("*.pt"))
    assert clone.status() == ""


@pytest.mark.full
def test_queued_experiments_run_and_stand_in_the_table(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "--queue", "-S", "systems.cs231n.learning_rate=0.003,0.004")
    clone.run("dvc", "queue", "start")
    wait_for(lambda: clone.run("dvc", "queue", "status").stdout.count("Success") == 2, seconds=900)
    shown = clone.run("dvc", "exp", "show", "--csv").stdout
    assert "0.003" in shown
    assert "0.004" in shown
    assert clone.status() == ""


@pytest.mark.parametrize("dataset", ["synthetic", "fer2013"])
def test_the_committed_lock_is_current_without_the_data(tmp_path: Path, dataset: str) -> None:
    clone = Clone(tmp_path)
    if "@fer2013" not in (tmp_path / "dvc.lock").read_text() and dataset == "fer2013":
        pytest.skip("no run on the real data is committed yet")
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("dataset: synthetic ", f"dataset: {dataset} ", 1))
    result = clone.run("dvc", "repro", "--dry", "--allow-missing")
    assert "Running stage" not in result.stdout
