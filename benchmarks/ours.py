"""One epoch of this project's loop on random faces: what the benchmarks of training time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fer.config.params import load_params
from fer.config.run import RunConfig, merged
from fer.constants import IMAGE_SIZE, Split
from fer.models.classifier import Classifier, Normalisation
from fer.models.device import layout, pick_precision
from fer.models.networks import build, input_side
from fer.store import Faces
from fer.training.batches import DeviceFaces, batch_count, training_batches
from fer.training.forward import Forward, compiles
from fer.training.loop import train_epoch
from fer.training.losses import cross_entropy
from fer.training.optimizers import build_optimizer

PARAMS = load_params(Path(__file__).parent.parent / "params.yaml")
DISTORTIONS = {"rotation": 10.0, "shift": 0.2, "scale": 0.2, "erasing": 0.5, "fill": "zeros"}  # the peers' ranges

Epoch = Callable[[], float]  # trains one and returns its mean loss


@dataclass(frozen=True)
class Case:
    """A system's network, its batch size and side, and on a CPU the batches of an epoch and the rounds."""

    system: str
    title: str
    batch_size: int
    side: int
    batches: int
    rounds: int

    def network(self) -> nn.Module:
        """Return a fresh one."""
        return build(PARAMS.config(self.system).network, self.side)

    def faces(self, device: torch.device) -> Faces:
        """Return an epoch's; a GPU gets twenty times as many."""
        return random_faces(self.batch_size * self.batches * (20 if device.type == "cuda" else 1))


CASES = (
    Case("cs231n", "teacher", 50, 48, 24, 4),
    Case("flagship_vgg", "VGG-like, 44x44", 128, 44, 4, 4),
    Case("flagship", "ResNet-18, 3x3 stem", 128, 48, 2, 3),
)


def note(rows: list[dict[str, Any]]) -> str:
    """Return what must be said of results from before the crop kept its side: their rows have no `side`."""
    if all("side" in row for row in rows):
        return ""
    return "\nThe 44x44 case is measured at 48x48 on our side in this table until it is run again.\n"


def random_faces(count: int) -> Faces:
    generator = np.random.default_rng(0)
    flags = np.zeros(count, np.bool_)
    images = generator.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    return Faces(images, generator.integers(0, 7, count, dtype=np.uint8), np.arange(count), flags, flags)


def config_of(case: Case, *, augmented: bool) -> RunConfig:
    """Return what both sides train with: Adam, weight decay, flips; distortions where asked for; the case's side."""
    crop = {"crop": case.side} if case.side < IMAGE_SIZE else {}
    changes: dict[str, Any] = {
        "network": PARAMS.systems[case.system]["network"],
        "epochs": 1,
        "batch_size": case.batch_size,
        "lr": 1e-3,
        "weight_decay": 1e-3,
        "augment": {"flip": True, **(DISTORTIONS if augmented else {}), **crop},
    }
    return RunConfig.model_validate(merged(PARAMS.train.defaults, changes))


def classifier_of(case: Case, config: RunConfig) -> Classifier:
    """Return a fresh one whose network sees the crop itself: scaled up again it would be a larger one's work."""
    crop = config.augment.crop
    side = input_side(config.input_size, crop)
    return Classifier(Normalisation(128.0, 64.0), case.network(), input_size=side, crop=crop)


def our_epoch(
    case: Case, faces: Faces, device: torch.device, *, augmented: bool, compiled: bool | None = None
) -> Epoch:
    """Return one epoch of fer/training/loop.py, compiled where training would, or as `compiled` says."""
    config = config_of(case, augmented=augmented)
    classifier = classifier_of(case, config).to(device, memory_format=layout(device))  # type: ignore[call-overload]
    forward = Forward(classifier, case.batch_size)
    optimizer = build_optimizer(config, classifier)
    on_device = DeviceFaces(faces, Split.training, device)
    precision = pick_precision("auto", device)
    if compiles(config.compile, device) if compiled is None else compiled:
        forward.compile(next(training_batches(on_device, config, seed=0, epoch=0)).images, precision)
        if forward.compiled is None:
            raise RuntimeError("nothing can be compiled here: there is nothing to time")
    lrs = [config.lr] * batch_count(len(faces), case.batch_size)

    def epoch() -> float:
        loss, _ = train_epoch(
            forward.train(), training_batches(on_device, config, seed=0, epoch=0), lrs, loss=cross_entropy,
            optimizer=optimizer, rho=None, ema=None, precision=precision, progress=lambda _: None,
        )  # fmt: skip
        return loss

    return epoch
