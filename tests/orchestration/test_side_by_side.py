"""A system's seeds: side by side or one after another the same bytes; what a killed worker leaves."""

import ast
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from fer.constants import Split
from fer.errors import UserError
from fer.files import sha256_of
from fer.models.classifier import load_classifier, predict
from fer.models.networks import build, count_flops
from fer.orchestration import side_by_side
from fer.orchestration.jobs import run_job, seed_jobs
from fer.orchestration.side_by_side import TrainingError, train_all, train_seeds, worker_count
from fer.store import open_store, read_split
from tests.runs import PARAMS, config, contents, jobs, toy_config

FER = Path(__file__).parent.parent.parent / "fer"


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
    assert (provenance["system"], provenance["seed"]) == ("cs231n", 5)
    assert provenance["data_sha256"] == "0" * 64
    assert provenance["config"] == toy_config(epochs=2).model_dump(mode="json")
    assert (provenance["starts_from"], provenance["weights_sha256"]) == ("random", None)
    assert "teachers" not in provenance
    assert provenance["training_faces"] == 60
    assert provenance["parameters"] == 417_255
    assert provenance["flops"] == count_flops(build(config().network, 48), 48)
    operations = 2 * 3 * provenance["training_faces"] * provenance["flops"]
    assert provenance["train_pflop"] == pytest.approx(operations / 1e15, abs=1e-4)
    assert provenance["device"].startswith("cpu ")
    assert provenance["precision"] == "float32"
    assert provenance["best_epoch"] in {1, 2}
    assert provenance["epochs_trained"] == 2
    history = (tmp_path / "out" / "5.csv").read_text().splitlines()
    assert history[0] == "epoch,lr,train_loss,train_accuracy,validation_loss,validation_accuracy"
    assert [line.split(",")[:2] for line in history[1:]] == [["1", "0.01"], ["2", "0.009"]]


def test_a_student_starts_elsewhere_and_depends_on_its_teacher(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "teacher", seeds=(0,)), workers=1)
    weights = tmp_path / "teacher" / "0.safetensors"
    for alpha in (1.0, 0.5):
        settings = toy_config(epochs=2, distil={"alpha": alpha})
        student = jobs(
            store, tmp_path / f"student{alpha}", seeds=(0,), system="student", config=settings, teachers=(weights,)
        )
        train_seeds(student, workers=1)
    assert weights.read_bytes() != (tmp_path / "student1.0" / "0.safetensors").read_bytes()
    assert contents(tmp_path / "student1.0")["0.csv"] != contents(tmp_path / "student0.5")["0.csv"]
    assert load_classifier(tmp_path / "student0.5" / "0.safetensors")[1]["teachers"] == [sha256_of(weights)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it ended between being listed and being asked
        return False


def test_a_killed_worker_is_an_error_and_the_next_call_goes_on(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "whole", config=toy_config(epochs=15)), workers=1)

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
        train_seeds(jobs(store, tmp_path / "cut", config=toy_config(epochs=15)), workers=2)
    assert list((tmp_path / ".checkpoints").glob("*.pt"))
    train_seeds(jobs(store, tmp_path / "cut", config=toy_config(epochs=15)), workers=2)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_kept_weights_stand_beside_the_best_and_survive_an_interruption(store: Path, tmp_path: Path) -> None:
    def stopped(_run: str, done: int, _share: float, epoch: object) -> None:
        if epoch and done == 3:
            raise KeyboardInterrupt

    job = jobs(store, tmp_path / "out", seeds=(0,), config=toy_config(epochs=5, keep_every=2))[0]
    with pytest.raises(KeyboardInterrupt):
        run_job(job, stopped)
    assert len(list((tmp_path / ".checkpoints").glob("*/2.safetensors"))) == 1
    train_seeds([job], workers=1)
    assert list(contents(tmp_path / "out" / "kept")) == ["0_epoch2.safetensors", "0_epoch4.safetensors"]
    _, provenance = load_classifier(tmp_path / "out" / "kept" / "0_epoch4.safetensors")
    assert (provenance["epoch"], provenance["system"]) == (4, "cs231n")
    assert not list((tmp_path / ".checkpoints").glob("*/*"))


def test_normalisation_is_the_configs(store: Path, tmp_path: Path) -> None:
    for method in ("global", "pixel", "image", "facenet"):
        settings = toy_config(epochs=1, normalise=method)
        train_seeds(jobs(store, tmp_path / method, seeds=(0,), config=settings), workers=1)
    found = {
        method: load_classifier(tmp_path / method / "0.safetensors")[0].normalise for method in ("global", "pixel")
    }
    with open_store(store) as file:
        images = read_split(file, Split.training).images.astype(np.float64)
    assert found["global"].mean[0, 0].item() == pytest.approx(images.mean(), rel=1e-6)
    assert found["global"].std[47, 47].item() == pytest.approx(images.std(), rel=1e-6)
    np.testing.assert_allclose(found["pixel"].mean.numpy(), images.mean(0), rtol=1e-6)
    assert load_classifier(tmp_path / "image" / "0.safetensors")[0].normalise.per_image
    assert load_classifier(tmp_path / "facenet" / "0.safetensors")[0].normalise.mean[3, 4] == 127.5


def test_a_changed_network_comes_back_with_the_weights(store: Path, tmp_path: Path) -> None:
    changed = toy_config(epochs=1, network={"dropout": 0.3, "pooling": "fractional", "hidden": [50]})
    train_seeds(jobs(store, tmp_path / "out", seeds=(0,), config=changed), workers=1)
    classifier, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    assert provenance["config"]["network"] == changed.network.model_dump(mode="json")
    images = torch.zeros(2, 1, 48, 48, dtype=torch.uint8)
    assert torch.equal(predict(classifier, images, torch.float32), predict(classifier, images, torch.float32))


def test_workers_fit_the_cores(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def three(threads: int) -> int:
        seeds = jobs(store, tmp_path, seeds=(0, 1, 2), config=toy_config(threads=threads))
        return worker_count(seeds, "auto")

    monkeypatch.setattr(side_by_side, "usable_cores", lambda: 4)
    assert [three(1), three(2), three(8)] == [3, 2, 1]
    assert worker_count(jobs(store, tmp_path, seeds=(0, 1, 2)), 2) == 2


def test_a_seed_that_diverges_ends_the_others(store: Path, tmp_path: Path) -> None:
    (long,) = jobs(store, tmp_path / "out", seeds=(0,), config=toy_config(epochs=100_000))
    (diverges,) = jobs(store, tmp_path / "out", seeds=(1,), config=toy_config(lr=1e30))

    def stopped(*message: object) -> None:
        if message[-1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(long, stopped)
    with pytest.raises(UserError, match=r"^cs231n seed 1: epoch 1: the loss is not finite"):
        train_seeds([long, diverges], workers=2)
    assert len(list((tmp_path / ".checkpoints").glob("*.pt"))) == 1


def test_auto_is_a_run_for_each_gpu_and_a_number_is_itself(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "pick_device", lambda _: torch.device("cuda"))
    seeds = jobs(store, tmp_path, seeds=(0, 1, 2))
    workers: int | str
    for gpus, workers, expected in ((4, "auto", 3), (2, "auto", 2), (4, 2, 2), (2, 8, 3)):
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        assert worker_count(seeds, workers) == expected


def test_more_runs_than_gpus_take_them_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(side_by_side, "pick_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for place in range(5):
        side_by_side.own_gpu("auto", place)
    assert taken == [0, 1, 0, 1, 0]


def test_elsewhere_one_run_has_the_device(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "pick_device", lambda _: torch.device("mps"))
    assert worker_count(jobs(store, tmp_path), 2) == 1


def test_no_two_runs_share_a_gpu(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads stand for the worker processes: each has its own current GPU, as a process has."""
    worker = threading.local()
    used: list[int] = []
    busy: set[int] = set()

    def run(_job: object, _report: object) -> None:
        assert worker.gpu not in busy
        busy.add(worker.gpu)
        used.append(worker.gpu)
        deadline = time.monotonic() + 5
        while len(used) < 3 and time.monotonic() < deadline:  # the first three run at once
            time.sleep(0.01)
        busy.remove(worker.gpu)

    monkeypatch.setattr(side_by_side, "pick_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", lambda gpu: setattr(worker, "gpu", gpu))

    def pool(count: int, *, mp_context: object, **own: Any) -> ThreadPoolExecutor:  # noqa: ARG001
        return ThreadPoolExecutor(count, **own)

    monkeypatch.setattr(side_by_side, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(side_by_side, "run_job", run)
    train_all(seeds := jobs(store, tmp_path, seeds=tuple(range(8))), worker_count(seeds, "auto"))
    assert len(used) == 8
    assert set(used[:3]) == {0, 1, 2}
    assert set(used) == {0, 1, 2}


def test_a_job_for_each_of_a_systems_seeds(store: Path, tmp_path: Path) -> None:
    assert [job.seed for job in seed_jobs(PARAMS, "cs231n_baseline", store=store, out=tmp_path)] == [0, 1, 2]
    blocks = PARAMS.systems | {"tuwani": {**PARAMS.systems["tuwani"], "seeds": [0]}}
    own_seeds = PARAMS.model_copy(update={"systems": blocks})
    (only,) = seed_jobs(own_seeds, "tuwani", store=store, out=tmp_path)
    assert (only.seed, only.config, only.teachers) == (0, PARAMS.config("tuwani"), ())
    with pytest.raises(UserError, match="resnet: no such system; known: cs231n_baseline, "):
        seed_jobs(PARAMS, "resnet", store=store, out=tmp_path)
    with pytest.raises(UserError, match=r"nowhere/0\.safetensors: not there"):
        seed_jobs(
            PARAMS, "tuwani", store=store, out=tmp_path, teachers=lambda seed: (Path(f"nowhere/{seed}.safetensors"),)
        )


def test_what_decides_a_result_is_in_the_facts(store: Path, tmp_path: Path) -> None:
    def facts(**changes: object) -> dict[str, object]:
        return jobs(store, tmp_path / "out", **({"seeds": (0,)} | changes))[0].facts()  # type: ignore[arg-type]

    (tmp_path / "file").write_bytes(b"one")
    given = {"teachers": (tmp_path / "file",), "weights": tmp_path / "file"}
    before = facts(**given)
    assert before == facts(**given)
    for change in (
        {"seeds": (1,)},
        {"system": "other"},
        {"config": toy_config(lr=0.5)},
        {"teachers": ()},
        {"weights": None},
    ):
        assert facts(**(given | change)) != before
    (tmp_path / "file").write_bytes(b"two")
    assert facts(**given)["teachers"] != before["teachers"]
    assert facts(**given)["weights"] != before["weights"]


@pytest.mark.parametrize("part", ["models", "training", "store.py"])
def test_what_trains_does_not_know_who_runs_it(part: str) -> None:
    """fer/orchestration decides no result: no training stage depends on it."""
    sources = [FER / part] if part.endswith(".py") else list((FER / part).glob("*.py"))
    assert sources
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not any("orchestration" in name for name in (module or "", *names)), source
