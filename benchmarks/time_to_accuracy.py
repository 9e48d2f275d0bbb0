"""Seconds from the start of training to 60.7 % of PublicTest of FER2013, the teacher's network, validation included.

The recipe is `cs231n_fast` of params.yaml, on all cores, one seed. Loading the store and checkpoints are not counted;
what else the machine does is, and the load stands below.
"""

import contextlib
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.measure import start, table
from benchmarks.ours import PARAMS
from fer.constants import IMAGE_SIZE, Split
from fer.models.classifier import Classifier, Normalisation
from fer.models.device import pick_precision
from fer.models.networks import build
from fer.orchestration.checkpoint import Checkpoint
from fer.store import open_store, read_split, read_statistics
from fer.training.batches import DeviceFaces
from fer.training.loop import Epoch, train
from fer.training.losses import CrossEntropy
from fer.training.seeds import derived_seed

STORE = Path("data/normalised.h5")
SYSTEM = "cs231n_fast"
ACCURACY = 0.607
GOALS = {"cpu": 200.0, "cpu_float32": 300.0, "cuda": 10.0}


class ReachedError(Exception):
    """The accuracy is there; the epochs that are left are not needed."""


def measure() -> dict[str, Any] | None:
    """Return None where the store of FER2013 is not at hand; `dvc repro normalise` writes it."""
    if not STORE.exists():
        return None
    device = start()
    config = PARAMS.config(SYSTEM)
    with open_store(STORE) as file:
        training, validation = (
            DeviceFaces(read_split(file, split), split, device) for split in (Split.training, Split.public_test)
        )
        normalise = Normalisation(*read_statistics(file, config.normalise))
    begin = time.perf_counter()
    history: list[dict[str, float]] = []

    def progress(_done: int, _share: float, epoch: Epoch | None) -> None:
        if epoch:
            history.append({"seconds": time.perf_counter() - begin, "accuracy": epoch.validation_accuracy})
            if epoch.validation_accuracy >= ACCURACY:
                raise ReachedError

    torch.manual_seed(derived_seed(0, "weights"))
    classifier: nn.Module = Classifier(normalise, build(config.network, IMAGE_SIZE))
    classifier = classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with contextlib.suppress(ReachedError):
        train(
            classifier, training, validation, loss=CrossEntropy(label_smoothing=config.label_smoothing),
            config=config, seed=0, precision=pick_precision("auto", device),
            checkpoint=Checkpoint(Path("unused"), writes=False), progress=progress,
        )  # fmt: skip
    return {"history": history, "epochs": config.epochs}


def report(result: dict[str, Any], kind: str) -> str:
    last = result["history"][-1]
    best = max(epoch["accuracy"] for epoch in result["history"])
    reached = best >= ACCURACY
    outcome = (
        f"{ACCURACY:.1%} after {len(result['history'])} of {result['epochs']} epochs and {last['seconds']:.0f} s: "
        f"{'reached' if last['seconds'] < GOALS[kind] else 'too late'}."
        if reached
        else f"Not reached: {best:.1%} at best in {result['epochs']} epochs and {last['seconds']:.0f} s."
    )
    rows = [
        [str(number), f"{epoch['seconds']:.0f}", f"{epoch['accuracy']:.1%}"]
        for number, epoch in enumerate(result["history"], 1)
    ]
    goal = f"Goal: under {GOALS[kind]:g} s."
    return f"{goal} {outcome}\n\n" + table(["epoch", "seconds since the start", "PublicTest"], rows)
