"""A system's seeds: side by side or one after another the same bytes; what a killed worker leaves."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from fer.data.normalise import normalise_store
from fer.data.store import open_store, read_split
from fer.emotions import Split
from fer.models.classifier import load_classifier, predict
from fer.models.zoo import build, count_flops
from fer.recipe import Layers
from fer.training import runs
from fer.training.job import Job, Teacher, run_job
from fer.training.runs import TrainingError, train_seeds
from tests.data.test_normalise import write_store
from tests.training.test_loop import recipe


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write_store(folder / "clean.h5")
    normalise_store(folder / "clean.h5", folder / "store.h5", method="pixel", drop_leaked=False)
    return folder / "store.h5"


def jobs(store: Path, out: Path, *, seeds: tuple[int, ...] = (0, 1), **changes: Any) -> list[Job]:
    values: dict[str, Any] = {
        "dataset": "toy", "system": "cs231n", "model": "cs231n", "recipe": recipe(epochs=2), "store": store,
        "out": out, "device": "cpu", "precision": "float32", "threads": 1,
    }  # fmt: skip
    return [Job(seed=seed, **(values | changes)) for seed in seeds]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_side_by_side_is_one_after_another(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "one"), workers=1)
    train_seeds(jobs(store, tmp_path / "two"), workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert list(contents(tmp_path / "one")) == ["0.csv", "0.safetensors", "1.csv", "1.safetensors"]
    assert contents(tmp_path / "one")["0.safetensors"] != contents(tmp_path / "one")["1.safetensors"]
    assert list((tmp_path / ".checkpoints").glob("*.pt")) == []


def test_provenance_says_where_the_weights_come_from(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "out", seeds=(5,)), workers=1)
    _, provenance = load_classifier(tmp_path / "out" / "5.safetensors")
    assert provenance["seed"] == 5
    assert provenance["data_sha256"] == "0" * 64
    assert provenance["recipe"] == recipe(epochs=2).given
    assert provenance["starts_from"] == "random"
    assert provenance["training_faces"] > 0
    assert provenance["flops"] == count_flops(build("cs231n"), 48)
    operations = 2 * 3 * provenance["training_faces"] * provenance["flops"]
    assert provenance["train_pflop"] == pytest.approx(operations / 1e15, abs=1e-4)
    assert provenance["device"].startswith("cpu ")
    assert provenance["best_epoch"] in {1, 2}


def test_a_student_starts_elsewhere_and_depends_on_its_teacher(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "teacher", seeds=(0,)), workers=1)
    weights = tmp_path / "teacher" / "0.safetensors"
    for alpha in (1.0, 0.5):
        student = jobs(
            store, tmp_path / f"student{alpha}", seeds=(0,), system="student", teacher=Teacher(weights, alpha, 1.0)
        )
        train_seeds(student, workers=1)
    assert weights.read_bytes() != (tmp_path / "student1.0" / "0.safetensors").read_bytes()
    assert contents(tmp_path / "student1.0")["0.csv"] != contents(tmp_path / "student0.5")["0.csv"]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it ended between being listed and being asked
        return False


def test_a_killed_worker_is_an_error_and_the_next_call_goes_on(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "whole", recipe=recipe(epochs=15)), workers=1)

    def kill_one_worker() -> None:
        while True:
            time.sleep(0.05)
            checkpoints = list((tmp_path / ".checkpoints").glob("*.pt"))
            workers = [child for child in psutil.Process().children(recursive=True) if is_worker(child)]
            if checkpoints and workers:
                os.kill(workers[-1].pid, signal.SIGKILL)
                return

    threading.Thread(target=kill_one_worker, daemon=True).start()
    with pytest.raises(TrainingError, match="a training process was killed"):
        train_seeds(jobs(store, tmp_path / "cut", recipe=recipe(epochs=15)), workers=2)
    assert list((tmp_path / ".checkpoints").glob("*.pt"))
    train_seeds(jobs(store, tmp_path / "cut", recipe=recipe(epochs=15)), workers=2)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_kept_weights_stand_beside_the_best_and_survive_an_interruption(store: Path, tmp_path: Path) -> None:
    def stopped(_run: str, done: int, _share: float, epoch: object) -> None:
        if epoch and done == 3:
            raise KeyboardInterrupt

    job = jobs(store, tmp_path / "out", seeds=(0,), recipe=recipe(epochs=5, keep_every=2))[0]
    with pytest.raises(KeyboardInterrupt):
        run_job(job, stopped)
    assert len(list((tmp_path / ".checkpoints").glob("*/2.safetensors"))) == 1
    train_seeds([job], workers=1)
    assert list(contents(tmp_path / "out" / "kept")) == ["0_epoch2.safetensors", "0_epoch4.safetensors"]
    _, provenance = load_classifier(tmp_path / "out" / "kept" / "0_epoch4.safetensors")
    assert (provenance["epoch"], provenance["system"]) == (4, "cs231n")
    assert not list((tmp_path / ".checkpoints").glob("*/*"))


def test_a_systems_own_normalisation_is_fitted_on_training(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "own", seeds=(0,), recipe=recipe(epochs=1, normalise="global")), workers=1)
    classifier, provenance = load_classifier(tmp_path / "own" / "0.safetensors")
    with open_store(store) as file:
        images = read_split(file, Split.training).images.astype(np.float64)
    assert provenance["normalise"] == "global"
    assert classifier.normalise.mean[0, 0].item() == pytest.approx(images.mean(), rel=1e-6)
    assert classifier.normalise.std[47, 47].item() == pytest.approx(images.std(), rel=1e-6)


def test_changed_layers_come_back_with_the_weights(store: Path, tmp_path: Path) -> None:
    changed = recipe(epochs=1, layers=Layers(dropout=0.3, pooling="fractional"))
    train_seeds(jobs(store, tmp_path / "out", seeds=(0,), recipe=changed), workers=1)
    classifier, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    assert provenance["network"] == {"side": 48, "layers": {"dropout": 0.3, "pooling": "fractional"}}
    images = torch.zeros(2, 1, 48, 48, dtype=torch.uint8)
    assert torch.equal(predict(classifier, images, torch.float32), predict(classifier, images, torch.float32))


def test_workers_fit_the_cores(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "usable_cores", lambda: 4)
    three = jobs(store, tmp_path, seeds=(0, 1, 2))
    assert runs.worker_count(three, "auto") == 3
    assert runs.worker_count(jobs(store, tmp_path, seeds=(0, 1, 2), threads=2), "auto") == 2
    assert runs.worker_count(jobs(store, tmp_path, seeds=(0, 1, 2), threads=8), "auto") == 1
    assert runs.worker_count(three, 2) == 2
