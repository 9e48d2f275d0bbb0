"""What an interrupted training continues from: one file a run, outside DVC's outs, gone when the run has ended.

Its name is a fingerprint of everything that decides the run's result, so that a checkpoint of other parameters,
other data or other code is never continued. It also serves as the lock that keeps two trainers off the same run.
"""

import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fer.files import atomic_write, file_lock, source_hash
from fer.training.distributed import is_main_process, wait_for_all

FOLDER = Path(".checkpoints")
EVERY = 20  # seconds between two states, at least: a small network's epoch takes less than writing them
CODE = source_hash("store.py", "models/*.py", "training/*.py")


def fingerprint(facts: dict[str, Any]) -> str:
    """Return the hexadecimal hash of `facts` (a job's), of torch's version and of the code that trains."""
    content = json.dumps((facts, torch.__version__, CODE), sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


class Checkpoint:
    """The state of one run after an epoch: of the last one, or of one that ended at most `every` seconds before it."""

    def __init__(self, path: Path, *, writes: bool = True, every: float = EVERY) -> None:
        self.path = path
        self.writes = writes
        self.every = every
        self.saved = -math.inf

    def save(self, state: dict[str, Any], *, last: bool = False) -> None:
        if not self.writes or (not last and time.monotonic() - self.saved < self.every):
            return
        with atomic_write(self.path) as temporary:
            torch.save(state, temporary)
        self.saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the state; None where there is none, or where it cannot be read: then the run starts anew."""
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
        """Return a folder for weights that outlive an interruption; it goes with the state."""
        return self.path.with_suffix("")

    def remove(self) -> None:
        if not self.writes:
            return
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.kept, ignore_errors=True)


@contextmanager
def checkpoint_for(facts: dict[str, Any], folder: Path = FOLDER) -> Iterator[Checkpoint]:
    """Hold the run's checkpoint alone: wait while another process still trains the same run.

    In a process group the main process holds and writes it; the others read it once the main process has it.
    """
    name = fingerprint(facts)
    if not is_main_process():
        wait_for_all()
        yield Checkpoint(folder / f"{name}.pt", writes=False)
        return
    with file_lock(folder / f"{name}.lock"):
        wait_for_all()
        yield Checkpoint(folder / f"{name}.pt")
