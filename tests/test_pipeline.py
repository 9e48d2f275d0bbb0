"""DVC as its users know it, run for real in a clone: the demo with few faces and short trainings."""

import os
import re
import resource
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
SYSTEMS = ["cs231n_baseline", "cs231n", "cs231n_student", "cs231n_transfer"]
TEACHER = "train@cs231n"
SMALL = {
    "draw.faces": 160,
    "clean.max_rejected": 0.2,
    "evaluate.resamples": 200,
    "explain.faces": 1,
    "export.calibration_faces": 32,
}


class Clone:
    """A repository with its own .dvc, and the commands that a person types in its demo/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.demo = folder / "demo"
        self.environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": "", "COLUMNS": "200"}

    @classmethod
    def of_the_working_tree(cls, folder: Path) -> "Clone":
        clone = cls(folder)
        listed = clone.run("git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", cwd=ROOT).stdout
        for name in listed.splitlines():
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        clone.run("git", "init", "-q", "-b", "main", cwd=folder)
        return clone

    def run(self, *command: str, cwd: Path | None = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command, check=False, cwd=cwd or self.demo, env=self.environment, capture_output=True, text=True
        )
        assert (result.returncode != 0) == fails, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        nowhere = subprocess.DEVNULL
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores Ctrl-C
        try:
            return subprocess.Popen(
                command, cwd=self.demo, env=self.environment, stdout=nowhere, stderr=nowhere, start_new_session=True
            )
        finally:
            signal.signal(signal.SIGINT, before)

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A", cwd=self.folder)
        author = ("-c", "user.name=t", "-c", "user.email=t@t")
        self.run("git", *author, "commit", "-qm", message, "--allow-empty", cwd=self.folder)

    def restore(self) -> None:
        """What docs/experiments.md says: the commit's files, and DVC's outs as it has them."""
        self.run("git", "read-tree", "HEAD", cwd=self.folder)
        self.run("git", "checkout", "-q", ".", cwd=self.folder)
        self.run("git", "clean", "-fdq", cwd=self.folder)
        self.run("dvc", "checkout", "--allow-missing")
        assert self.status() == ""

    def params(self) -> Any:
        return YAML(typ="safe", pure=True).load((self.demo / "params.yaml").read_text())

    def status(self) -> str:
        return self.run("git", "status", "--porcelain", cwd=self.folder).stdout

    def stale(self) -> set[str]:
        """The stages that would run, by DVC's own word."""
        return set(re.findall(r"Running stage '(.*?)'", self.run("dvc", "repro", "--dry", "--allow-missing").stdout))

    def outs(self, stage: str) -> list[Any]:
        lock = YAML(typ="safe", pure=True).load((self.demo / "dvc.lock").read_text())
        return [(out["path"], out["md5"]) for out in lock["stages"][stage]["outs"]]


def shorten(clone: Clone) -> None:
    """Few faces, one seed, two epochs, and the systems of SYSTEMS."""
    yaml = YAML(pure=True)
    yaml.width = 80
    params = yaml.load((clone.demo / "params.yaml").read_text())
    for name, value in SMALL.items():
        group, key = name.split(".")
        params[group][key] = value
    params["seeds"] = [0]
    params["run"]["train"] = SYSTEMS[:2]
    params["run"]["systems"] = SYSTEMS
    for name, block in params["systems"].items():
        block["epochs"] = 6 if name == "cs231n" else 2
        if name not in SYSTEMS:
            block["not_run"] = "not in this test"
    with (clone.demo / "params.yaml").open("w") as file:
        yaml.dump(params, file)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """After one whole `dvc repro` of the shortened demo, committed."""
    clone = Clone.of_the_working_tree(tmp_path_factory.mktemp("clone"))
    (clone.demo / "dvc.lock").unlink(missing_ok=True)
    for folder in ("metrics", "plots", "docs", "data"):
        shutil.rmtree(clone.demo / folder, ignore_errors=True)
    shorten(clone)
    clone.commit("small")
    clone.run("dvc", "repro")
    clone.commit("run")
    return clone


def test_a_second_repro_changes_nothing(clone: Clone) -> None:
    assert "Data and pipelines are up to date" in clone.run("dvc", "repro").stdout
    assert clone.status() == ""


def test_stages_write_what_they_declare_and_nothing_else(clone: Clone) -> None:
    lock = YAML(typ="safe", pure=True).load((clone.demo / "dvc.lock").read_text())
    declared = [out["path"] for stage in lock["stages"].values() for out in stage["outs"]]
    written = clone.run("git", "ls-files", "-co", "--", ".").stdout.splitlines()
    mine = {"dvc.lock", "dvc.yaml", "params.yaml", "README.md", ".gitignore"}
    undeclared = [
        name
        for name in written
        if name not in mine and not any(name == out or name.startswith(f"{out}/") for out in declared)
    ]
    assert [name for name in undeclared if not name.startswith((".checkpoints/", ".features/"))] == []
    assert clone.run("git", "status", "--porcelain", "--", ":!demo", cwd=clone.folder).stdout == ""


def test_every_out_is_the_same_in_a_second_run(clone: Clone) -> None:
    lock = (clone.demo / "dvc.lock").read_text()
    clone.run("dvc", "repro", "--force", "--no-run-cache")
    assert (clone.demo / "dvc.lock").read_text() == lock
    assert clone.status() == ""


def test_an_experiment_shows_what_a_change_did(clone: Clone) -> None:
    before = (clone.demo / "params.yaml").read_text().splitlines()
    clone.run("dvc", "exp", "run", "-S", "systems.cs231n.lr=0.01", "-n", "fast")
    after = (clone.demo / "params.yaml").read_text().splitlines()
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ("    lr: 0.00127", "    lr: 0.01")
    ] or sum(old != new for old, new in zip(before, after, strict=True)) == 1
    metrics = clone.run("dvc", "metrics", "diff").stdout
    assert "metrics/cs231n.json" in metrics
    assert "PrivateTest" in metrics
    assert len(metrics.splitlines()) <= 20
    assert max(map(len, metrics.splitlines())) <= 100
    params = clone.run("dvc", "params", "diff").stdout
    assert "systems.cs231n.lr" in params
    assert "0.00127" in params
    shown = clone.run("dvc", "exp", "show", "--only-changed", "--no-pager").stdout
    assert "fast" in shown
    assert max(len(line) for line in shown.splitlines()) <= 160
    assert "index.html" in clone.run("dvc", "plots", "diff", "HEAD", "-o", "shown").stdout
    assert "cs231n/loss.csv" in (clone.demo / "shown" / "index.html").read_text().replace("::", "/")
    shutil.rmtree(clone.demo / "shown")
    clone.restore()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("systems.cs231n.lr=-1", "systems.cs231n.lr: -1: input should be greater than 0"),
        ("+systems.cs231n.learnin_rate=1", "systems.cs231n.learnin_rate: no such parameter"),
    ],
)
def test_a_wrong_parameter_ends_before_anything_is_touched(clone: Clone, change: str, message: str) -> None:
    weights = clone.demo / "data" / "models" / "cs231n" / "0.safetensors"
    before = weights.stat().st_mtime_ns
    result = clone.run("dvc", "exp", "run", "-S", change, fails=True)
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert weights.stat().st_mtime_ns == before
    clone.restore()


def after_training(system: str) -> set[str]:
    return {f"predict@{system}", f"evaluate@{system}", "agreement", "ensemble", "report"}


def test_a_changed_rate_makes_its_system_stale_and_no_other(clone: Clone) -> None:
    """What follows is not listed: DVC runs it if the training comes out different."""
    edit(clone.demo / "params.yaml", "    lr: 0.0003", "    lr: 0.02")
    assert clone.stale() == {"validate", "train@cs231n_baseline", "report"}
    assert "systems.cs231n_baseline" in clone.run("dvc", "status", "train@cs231n_baseline").stdout
    clone.restore()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1))


COMMENT = ('"""', '"""A changed comment: ')
TRAININGS = {"train@cs231n", "distil@cs231n_student", "transfer@cs231n_transfer"}


@pytest.mark.parametrize(
    ("change", "stale", "fresh"),
    [
        (("demo/params.yaml", "    momentum: 0.9", "    momentum: 0.5"), TRAININGS, {"ingest", "normalise"}),
        (("fer/training/losses.py", *COMMENT), TRAININGS, {"normalise", "ingest"}),
        (("fer/report/tables.py", *COMMENT), {"report"}, {"evaluate@cs231n", "train@cs231n"}),
        (("fer/evaluation/metrics.py", *COMMENT), {"evaluate@cs231n"}, {"predict@cs231n"}),
        (("fer/data/audit.py", *COMMENT), {"ingest"}, {"train@cs231n"}),
        (("fer/files.py", *COMMENT), set(), {"train@cs231n", "ingest", "report"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_dvc_names_what_a_change_makes_stale(
    clone: Clone, change: tuple[str, str, str], stale: set[str], fresh: set[str]
) -> None:
    file, old, new = change
    edit(clone.folder / file, old, new)
    assert stale <= clone.stale()
    directly = clone.run("dvc", "status").stdout
    for stage in fresh:
        assert not re.search(rf"^{stage}:", directly, re.MULTILINE), stage
    clone.run("git", "checkout", "-q", ".", cwd=clone.folder)


def test_a_new_system_trains_alone(clone: Clone) -> None:
    yaml = YAML(pure=True)
    params = yaml.load((clone.demo / "params.yaml").read_text())
    tiny = {"type": "stack", "filters": [4], "kernels": [3], "hidden": [8], "batch_norm": True}
    tiny |= {"batch_norm_hidden": False, "dropout": 0.0, "pooling": "max"}
    params["systems"]["tiny"] = {"network": tiny, "epochs": 1}
    params["run"]["train"].append("tiny")
    params["run"]["systems"].append("tiny")
    with (clone.demo / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    ran = set(re.findall(r"Running stage '(.*?)'", clone.run("dvc", "repro").stdout))
    assert ran == {"validate", "train@tiny", *after_training("tiny")}
    assert "| tiny |" in (clone.demo / "docs" / "results.md").read_text()
    clone.restore()


def test_results_travel_with_git(clone: Clone, tmp_path: Path) -> None:
    """A fresh clone, no data, no weights, no cache: another interval is computed from the predictions in git."""
    subprocess.run(["git", "clone", "-q", str(clone.folder), str(tmp_path / "fresh")], check=True)
    fresh = Clone(tmp_path / "fresh")
    assert fresh.stale() == set()
    metrics = (fresh.demo / "metrics" / "cs231n" / "0.json").read_text()
    edit(fresh.demo / "params.yaml", "resamples: 200", "resamples: 300")
    ran = set(re.findall(r"Running stage '(.*?)'", fresh.run("dvc", "repro", "--allow-missing").stdout))
    assert ran == {"validate", "ensemble", "report", *(f"evaluate@{system}" for system in SYSTEMS)}
    assert (fresh.demo / "metrics" / "cs231n" / "0.json").read_text() != metrics
    assert not (fresh.demo / "data" / "models").exists()


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_root_without_data_ends_soon_with_the_ways_to_get_it(clone: Clone) -> None:
    (clone.folder / "data" / "valid.txt").unlink(missing_ok=True)  # as on a fresh clone
    begin = seconds_of_children()
    result = clone.run("dvc", "repro", cwd=clone.folder, fails=True)
    assert seconds_of_children() - begin < 15  # of processor time: other tests run beside this one
    text = result.stdout + result.stderr
    assert "make fer2013 CSV=" in text
    assert "make demo" in text
    assert clone.run("git", "status", "--porcelain", "--", ":!dvc.lock", cwd=clone.folder).stdout == ""
    clone.run("git", "checkout", "-q", ".", cwd=clone.folder)


def test_gc_in_one_folder_keeps_what_the_other_needs(clone: Clone) -> None:
    def cached() -> set[Path]:
        return {path for path in (clone.folder / ".dvc" / "cache" / "files").rglob("*") if path.is_file()}

    before = cached()
    clone.run("dvc", "gc", "-w", "-f", cwd=clone.folder)
    assert clone.run("dvc", "checkout", "--allow-missing").returncode == 0
    assert "up to date" in clone.run("dvc", "repro").stdout
    assert cached() <= before


def test_the_users_files_survive_a_failed_run_checkout_and_gc(clone: Clone) -> None:
    source = clone.folder / "data" / "source"
    files = [source / "fer2013.csv", clone.folder / "data" / "mine" / "faces.csv", clone.demo / "data" / "mine.csv"]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        path.chmod(0o640)
    result = clone.run("dvc", "repro", cwd=clone.folder, fails=True)
    assert "fer2013.csv" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    clone.run("git", "checkout", "-q", ".", cwd=clone.folder)
    clone.run("dvc", "checkout", "--allow-missing", cwd=clone.folder)
    clone.run("dvc", "gc", "-w", "-f", cwd=clone.folder)
    for path in files:
        assert path.read_text() == "mine"
        assert path.stat().st_mode & 0o777 == 0o640
    shutil.rmtree(source)


def wait_for(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02 if seconds < 600 else 5)


@pytest.mark.parametrize("how", ["Ctrl-C", "dvc killed", pytest.param("all killed", marks=pytest.mark.full)])
def test_an_ended_repro_goes_on_and_ends_in_the_same_bytes(clone: Clone, how: str) -> None:
    expected = clone.outs(TEACHER)
    checkpoints = clone.demo / ".checkpoints"
    assert not list(checkpoints.glob("*.pt"))
    process = clone.start("dvc", "repro", "--force", "--single-item", TEACHER)
    wait_for(lambda: list(checkpoints.glob("*.pt")))
    family = psutil.Process(process.pid).children(recursive=True)
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    else:
        for victim in [psutil.Process(process.pid), *(family if how == "all killed" else [])]:
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
def test_an_experiment_in_a_folder_of_its_own(clone: Clone) -> None:
    rate = (clone.demo / "params.yaml").read_bytes()
    clone.run("dvc", "exp", "run", "--temp", "-S", "systems.cs231n_baseline.lr=0.005")
    assert "0.005" in clone.run("dvc", "exp", "show", "--csv").stdout
    assert (clone.demo / "params.yaml").read_bytes() == rate
    assert clone.status() == ""


@pytest.mark.full
def test_queued_experiments_run_and_stand_in_the_table(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "--queue", "-S", "systems.cs231n_baseline.lr=0.003,0.004")
    clone.run("dvc", "queue", "start")
    wait_for(lambda: clone.run("dvc", "queue", "status").stdout.count("Success") == 2, seconds=900)
    shown = clone.run("dvc", "exp", "show", "--csv").stdout
    assert "0.003" in shown
    assert "0.004" in shown
    assert clone.status() == ""


@pytest.mark.parametrize("pipeline", [".", "demo"])
def test_the_committed_lock_is_current_without_the_data(tmp_path: Path, pipeline: str) -> None:
    clone = Clone.of_the_working_tree(tmp_path)
    result = clone.run("dvc", "repro", "--dry", "--allow-missing", cwd=tmp_path / pipeline)
    assert "Running stage" not in result.stdout
