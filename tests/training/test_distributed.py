"""Two processes on the CPU train what one does, up to rounding; after one was killed the next run goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fer.constants import Split
from fer.errors import UserError
from fer.models.classifier import load_classifier
from fer.orchestration.side_by_side import train_seeds
from fer.training.batches import batch_count, training_batches
from fer.training.distributed import TIMEOUT, gathered, joined, with_common_statistics
from fer.training.loop import refuse_empty_shards
from tests.runs import contents, jobs, toy_config
from tests.training.test_loop import toy_faces, toy_network

ROOT = Path(__file__).parent.parent.parent
# Without batch normalisation, which needs GPUs here.
SHORT = {"epochs": 2, "optimizer": "sgd", "lr": 0.001, "network": {"batch_norm": False}}
ALL = {"mixup": 0.4, "sam": 0.05, "ema": 0.9, "label_smoothing": 0.1, "class_weights": "balanced"}


def torchrun(store: Path, out: Path, changes: dict[str, Any]) -> subprocess.Popen[str]:
    command = ["torchrun", "--standalone", "--nproc-per-node", "2", "-m", "tests.training.distributed_member"]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return subprocess.Popen(
        [*command, str(store), str(out), json.dumps(changes)], env=environment, stderr=subprocess.PIPE, text=True
    )


def assert_same_run(one: Path, other: Path) -> None:
    """Histories and weights beside each other: equal but for rounding."""
    first, second = (load_classifier(folder / "0.safetensors") for folder in (one, other))
    lines = [(folder / "0.csv").read_text().splitlines()[1:] for folder in (one, other)]
    for left, right in zip(*lines, strict=True):
        here, there = ([float(cell) for cell in line.split(",")] for line in (left, right))
        assert here[2::2] == pytest.approx(there[2::2], rel=2e-3)  # losses
        assert here[3::2] == pytest.approx(there[3::2], abs=0.04)  # accuracies: two of the 60 faces may be a near tie
    for name, tensor in first[0].state_dict().items():
        torch.testing.assert_close(second[0].state_dict()[name], tensor, rtol=1e-2, atol=2e-3, msg=name)
    assert second[1]["processes"] == 2
    assert "processes" not in first[1]


def compare(store: Path, folder: Path, **changes: Any) -> None:
    settings: dict[str, Any] = SHORT | changes
    train_seeds(jobs(store, folder / "one", seeds=(0,), config=toy_config(**settings)), workers=1)
    process = torchrun(store, folder / "two", settings)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    assert sorted(path.name for path in (folder / "two").iterdir()) == ["0.csv", "0.safetensors"]
    assert not list((folder / ".checkpoints").glob("*.pt"))
    assert_same_run(folder / "one", folder / "two")


def test_two_processes_train_what_one_does(store: Path, tmp_path: Path) -> None:
    compare(store, tmp_path)


@pytest.mark.full
def test_every_option_is_the_same_in_two_processes(store: Path, tmp_path: Path) -> None:
    compare(store, tmp_path, augment={"rotation": 10.0, "shift": 0.1, "erasing": 0.5}, **ALL)


@pytest.mark.full
def test_a_killed_process_is_a_clear_error_and_the_next_run_goes_on(store: Path, tmp_path: Path) -> None:
    settings = SHORT | {"epochs": 30}
    process = torchrun(store, tmp_path / "cut", settings)
    while not list((tmp_path / ".checkpoints").glob("*.pt")):
        assert process.poll() is None
        time.sleep(0.05)
    members = [child for child in psutil.Process(process.pid).children(recursive=True) if is_member(child, rank="1")]
    os.kill(members[0].pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=900)
    assert process.returncode != 0
    assert "error: process 0 of 2: another training process was killed or ended" in errors
    assert "the next `dvc repro` continues from its last checkpoint" in errors
    assert not (tmp_path / "cut" / "0.safetensors").exists()
    kept = next((tmp_path / ".checkpoints").glob("*.pt"))
    done = len(torch.load(kept, weights_only=True)["history"])
    assert 0 < done < 30
    again = torchrun(store, tmp_path / "cut", settings)
    _, errors = again.communicate(timeout=900)
    assert again.returncode == 0, errors
    assert f"epoch {done + 1}/30" in errors
    assert "epoch 1/30" not in errors
    whole = torchrun(store, tmp_path / "whole", settings)
    whole.communicate(timeout=900)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def is_member(process: psutil.Process, *, rank: str) -> bool:
    try:
        return bool(process.environ().get("RANK") == rank)
    except psutil.Error:  # it ended between being listed and being asked
        return False


@pytest.fixture
def group_of_one(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
def test_batch_norm_over_processes_is_torchs_and_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"train\.launcher: batch normalisation over several processes needs GPUs"):
        with_common_statistics(toy_network())
    monkeypatch.setattr(dist, "get_backend", lambda: "nccl")
    network = with_common_statistics(toy_network())
    assert [type(module) for module in network.modules() if isinstance(module, _BatchNorm)] == [nn.SyncBatchNorm]


def test_a_gpu_process_joins_with_its_device_and_time_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    joins: list[dict[str, Any]] = []
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **more: joins.append({"backend": backend} | more))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    monkeypatch.setattr("fer.training.distributed.pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("LOCAL_RANK", "3")
    for device in ("cuda", "cpu"):
        with joined(device):
            pass
    waits = {"timeout": TIMEOUT}
    assert joins == [
        {"backend": "nccl", "device_id": torch.device("cuda:3")} | waits,
        {"backend": "gloo", "device_id": None} | waits,
    ]


def test_batches_smaller_than_the_group_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer.training.loop.size", lambda: 16)
    refuse_empty_shards(16, 28_709, 3_589)
    with pytest.raises(UserError, match=r"train\.launcher: 16 processes share batches of 8 faces"):
        refuse_empty_shards(8, 28_709, 3_589)


@pytest.mark.parametrize(("faces", "processes"), [(28_709, 16), (28_709, 1), (28_709, 9), (100, 16), (51, 2), (3, 1)])
def test_no_process_ever_gets_an_empty_shard(faces: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """28,709 faces in batches of 50 leave 9: on 16 processes some would get none."""
    monkeypatch.setattr("fer.training.batches.size", lambda: processes)
    batches = training_batches(toy_faces(Split.training, faces, 0), toy_config(batch_size=50), seed=0, epoch=0)
    drawn = [len(batch.labels) for batch in batches]
    shards = [len(shard) for count in drawn for shard in torch.empty(count).tensor_split(processes)]
    assert min(shards) > 0
    assert faces - sum(drawn) < max(2, processes)
    assert len(drawn) == batch_count(faces, 50)


@pytest.mark.usefixtures("group_of_one")
def test_gathered_logits_keep_their_gradient() -> None:
    logits = torch.randn(3, 7, requires_grad=True)
    (gathered(logits, 3) ** 2).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(logits.grad, 2 * logits.detach())


def test_alone_everything_is_as_it_was() -> None:
    network = toy_network()
    assert with_common_statistics(network) is network
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in network.modules())
    logits = torch.randn(3, 7)
    assert gathered(logits, 3) is logits
