"""What an interrupted training continues from: one file a run, outside DVC's outs, gone when the run has ended.

Its name is a fingerprint of everything that decides the run's result, so that a checkpoint of other parameters,
other data or other code is never continued. It also serves as the lock that keeps two trainers off the same run.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fer.files import locked, replacing
from fer.training.team import is_leader, wait_for_all

FOLDER = Path(".checkpoints")
PACKAGE = Path(__file__).parent.parent
CODE = ("determinism.py", "data/augment.py", "data/batches.py", "data/store.py", "models/*.py", "training/*.py")
TABLES = ("zoo.py", "weights.py")  # a new row leaves the others' runs as they are; a run's own row is in its facts


def fingerprint(facts: dict[str, Any]) -> str:
    """Hexadecimal hash of `facts` (parameters, data hash, seed), of torch's version and of the code that trains."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    digest.update(torch.__version__.encode())
    for pattern in CODE:
        for source in sorted(source for source in PACKAGE.glob(pattern) if source.name not in TABLES):
            digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:32]


class Checkpoint:
    """The state of one run after its last whole epoch."""

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = path
        self.writes = writes

    def save(self, state: dict[str, Any]) -> None:
        if not self.writes:
            return
        with replacing(self.path) as temporary:
            torch.save(state, temporary)

    def load(self) -> dict[str, Any] | None:
        """None where there is none, or where it cannot be read: then the run starts anew."""
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
        except FileNotFoundError:
            return None
        except Exception as error:  # a torn or foreign file raises almost anything
            print(f"{self.path}: cannot be continued ({type(error).__name__}), starting anew", file=sys.stderr)
            return None
        return state

    @property
    def kept(self) -> Path:
        """A folder for what shall outlive an interruption beside the state; gone with it."""
        return self.path.with_suffix("")

    def keep(self, epoch: int, write: Callable[[Path], None]) -> None:
        """Calls `write` with a path under `kept` for the epoch's weights."""
        if self.writes:
            write(self.kept / f"{epoch}.safetensors")

    def remove(self) -> None:
        if not self.writes:
            return
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.kept, ignore_errors=True)


@contextmanager
def checkpoint_for(facts: dict[str, Any], folder: Path = FOLDER) -> Iterator[Checkpoint]:
    """The run's checkpoint, held alone: waits while another process still trains the same run.

    In a team its leader holds and writes it; the others read it once the leader has it.
    """
    name = fingerprint(facts)
    if not is_leader():
        wait_for_all()
        yield Checkpoint(folder / f"{name}.pt", writes=False)
        return
    with locked(folder / f"{name}.lock"):
        wait_for_all()
        yield Checkpoint(folder / f"{name}.pt")
