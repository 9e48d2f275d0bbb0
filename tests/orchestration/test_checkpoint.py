"""Checkpoints: keyed by what decides the result, held alone, torn ones forgotten."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fer.orchestration import checkpoint
from fer.orchestration.checkpoint import Checkpoint, checkpoint_for, fingerprint


def test_fingerprint_changes_with_every_fact() -> None:
    facts = {"seed": 0, "config": {"lr": 0.1}}
    assert fingerprint(facts) == fingerprint({"config": {"lr": 0.1}, "seed": 0})
    assert fingerprint(facts) != fingerprint(facts | {"seed": 1})
    assert fingerprint(facts) != fingerprint(facts | {"config": {"lr": 0.2}})


def test_round_trip_and_removal(tmp_path: Path) -> None:
    run = Checkpoint(tmp_path / "run.pt")
    assert run.load() is None
    run.save({"weights": {"w": torch.arange(3)}, "history": [{"epoch": 1, "loss": 0.5}]})
    state = run.load()
    assert state is not None
    assert torch.equal(state["weights"]["w"], torch.arange(3))
    run.remove()
    run.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"torn", b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR."])
def test_a_torn_or_hostile_file_starts_the_run_anew(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.pt"
    path.write_bytes(content)
    assert Checkpoint(path).load() is None
    assert "starting anew" in capsys.readouterr().err


def test_a_failed_save_leaves_the_old_state(tmp_path: Path) -> None:
    run = Checkpoint(tmp_path / "run.pt", every=0)
    run.save({"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        run.save({"epoch": lambda: None})
    assert run.load() == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_a_second_trainer_of_the_same_run_waits(tmp_path: Path) -> None:
    code = (
        "from fer.orchestration.checkpoint import checkpoint_for; from pathlib import Path; import sys\n"
        f"with checkpoint_for({{'seed': 0}}, Path({str(tmp_path)!r})): print('held', flush=True)"
    )
    with checkpoint_for({"seed": 0}, tmp_path):
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=10)
    assert other.communicate(timeout=60)[0] == "held\n"


def test_a_change_of_code_that_trains_makes_another_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another process: this one runs the code that it was started with, whatever the files say by now."""
    shutil.copytree(Path(checkpoint.__file__).parents[1], tmp_path / "fer")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ask = [sys.executable, "-c", "from fer.orchestration.checkpoint import fingerprint; print(fingerprint({}))"]

    def name() -> str:
        return subprocess.run(ask, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    before = name()
    for source, decides in (
        ("training/sam.py", True),
        ("models/plain.py", True),
        ("store.py", True),
        ("files.py", False),
    ):
        with (tmp_path / "fer" / source).open("a") as file:
            file.write("\n")
        assert (name() != before) is decides, source
        before = name()


def test_a_state_is_written_every_so_many_seconds_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 19.0, 21.0, 21.0, 30.0, 40.0])  # read before a state is written, and after
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    run = Checkpoint(tmp_path / "run.pt")
    kept = []
    for epoch in range(1, 5):
        run.save({"epoch": epoch})
        kept.append((run.load() or {})["epoch"])
    assert kept == [1, 1, 3, 3]
    run.save({"epoch": 5}, last=True)
    assert run.load() == {"epoch": 5}
