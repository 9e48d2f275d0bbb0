"""Training images a second of this project's loop against three others, everything included but reading the data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.measure import in_turn, ratio, start, summary, table
from benchmarks.peers import Epoch, Work, kornia_epoch, loader_epoch, pil_transform, v2_transform
from fer.data.batches import DeviceFaces, batch_count, training_batches
from fer.data.store import Faces
from fer.determinism import pick_precision
from fer.emotions import Split
from fer.models.classifier import Classifier, Normalisation
from fer.models.zoo import build
from fer.recipe import Augment, Recipe
from fer.training.loop import train_epoch
from fer.training.losses import cross_entropy
from fer.training.optimisers import build_optimiser

GOALS = {"cpu": 4.0, "cuda": 10.0}
DISTORTIONS = {"rotation": 10.0, "shift": 0.2, "scale": 0.2, "erasing": 0.5, "fill": "zeros"}  # the peers' ranges
PEERS = {
    "tutorial": "DataLoader, PIL transforms image by image",
    "v2": "DataLoader, torchvision.transforms.v2",
    "kornia": "kornia's batched augmentation",
}


@dataclass(frozen=True)
class Case:
    """A network, its batch size and side, and how many batches an epoch has and how many rounds there are, on a CPU."""

    model: str
    title: str
    batch_size: int
    side: int
    batches: int
    rounds: int


CASES = (
    Case("cs231n", "teacher", 50, 48, 24, 4),
    Case("vgg8", "VGG-like, 44x44", 128, 44, 4, 4),
    Case("resnet18_cifar", "ResNet-18, 3x3 stem", 128, 48, 2, 3),
)


def measure() -> dict[str, Any]:
    device = start()
    return {"rows": [run(case, device) for case in CASES]}


def run(case: Case, device: torch.device) -> dict[str, Any]:
    factor = 20 if device.type == "cuda" else 1
    faces = random_faces(case.batch_size * case.batches * factor)
    work = Work(faces.images, faces.labels.astype(np.int64), case.batch_size, case.side, device)
    epochs = {
        "ours": our_epoch(case, faces, device, augmented=True),
        "tutorial": loader_epoch(work, build(case.model), pil_transform(case.side)),
        "v2": loader_epoch(work, build(case.model), v2_transform(case.side)),
        "kornia": kornia_epoch(work, build(case.model)),
        "without distortions": our_epoch(case, faces, device, augmented=False),
    }
    seconds = in_turn(dict(epochs), rounds=case.rounds)
    return {
        "title": case.title, "model": case.model, "batch_size": case.batch_size, "images": len(faces),
        "variants": {name: summary(times, len(faces)) for name, times in seconds.items()},
        "ratios": {name: ratio(seconds["ours"], seconds[name]) for name in PEERS},
    }  # fmt: skip


def random_faces(count: int) -> Faces:
    generator = np.random.default_rng(0)
    flags = np.zeros(count, np.bool_)
    images = generator.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    return Faces(images, generator.integers(0, 7, count, dtype=np.uint8), np.arange(count), flags, flags)


def our_epoch(
    case: Case, faces: Faces, device: torch.device, *, augmented: bool, compile_mode: str | None = None
) -> Epoch:
    """One epoch of fer/training/loop.py; both with and without distortions the network sees the case's side.

    With `compile_mode` the network went through torch.compile.
    """
    crop = case.side if case.side < 48 else None
    distortions: dict[str, Any] = DISTORTIONS if augmented else {}
    recipe = Recipe(
        epochs=1, batch_size=case.batch_size, optimiser="adam", learning_rate=1e-3, learning_rate_decay=1.0, l2=1e-3,
        flip=True, select_by="accuracy", patience=None, augment=Augment(**distortions, crop=crop),
    )  # fmt: skip
    classifier: nn.Module = Classifier(Normalisation(128.0, 64.0), build(case.model), crop=crop)
    classifier = classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compile_mode:
        classifier = torch.compile(classifier, mode=compile_mode)  # type: ignore[assignment]
    optimiser = build_optimiser(recipe, classifier)
    on_device = DeviceFaces(faces, Split.training, device)
    precision = pick_precision("auto", device)
    rates = [recipe.learning_rate] * batch_count(len(faces), case.batch_size)

    def epoch() -> float:
        loss, _ = train_epoch(
            classifier, training_batches(on_device, recipe, seed=0, epoch=0), loss=cross_entropy,
            optimiser=optimiser, rates=rates, rho=None, average=None, precision=precision, progress=lambda _: None,
        )  # fmt: skip
        return loss

    return epoch


def report(result: dict[str, Any], kind: str) -> str:
    header = ["network", "batch", "ours, images/s", "ours without distortions"]
    for peer in PEERS:
        header += [f"{peer}, images/s", f"ours / {peer}"]
    rows = []
    for row in result["rows"]:
        speeds = {name: f"{variant['per_second']:.0f}" for name, variant in row["variants"].items()}
        line = [row["title"], str(row["batch_size"]), speeds["ours"], speeds["without distortions"]]
        for peer in PEERS:
            line += [speeds[peer], f"{row['ratios'][peer]:.2f}"]
        rows.append(line)
    explained = "".join(f"- {name}: {text}\n" for name, text in PEERS.items())
    return f"Goal: ours / tutorial at least {GOALS[kind]:g}.\n\n{table(header, rows)}\n{explained}"
