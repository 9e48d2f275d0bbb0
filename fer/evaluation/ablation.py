"""The ablation: what each ingredient of a recipe is worth alone, over the same seeds and faces."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fer.data.store import open_store, read_split
from fer.determinism import pick_device, pick_precision, prepare
from fer.emotions import IMAGE_SIZE, Split
from fer.evaluation.intervals import accuracy_interval, difference_interval, spread
from fer.evaluation.metrics import LEAK_FREE
from fer.evaluation.tables import NOT_MEASURED, markdown, replace_between_marks
from fer.files import write_text
from fer.models.classifier import load_classifier, predict

Right = dict[str, NDArray[np.bool_]]  # per test set, which faces each seed names right, (seeds, N)
HEADER = ("ingredient", "PublicTest", "PrivateTest", "leak-free", "against base (PrivateTest)", "parameters")


@dataclass(frozen=True)
class Settings:
    """How to predict and to resample; device and precision as in params.yaml's train block."""

    resamples: int
    bootstrap_seed: int
    batch_size: int
    device: str
    precision: str
    threads: int


def measure_ablation(folder: Path, store: Path, settings: Settings) -> dict[str, Any]:
    """The content of metrics/{dataset}/ablation.json, from `folder`/{variant}/{seed}.safetensors, one of them `base`.

    Each variant's accuracies are means over seeds; its difference from base is paired, face by face, with an interval
    over faces.
    """
    prepare(settings.threads)
    variants = sorted(path for path in folder.iterdir() if path.is_dir())
    answers = {path.name: answers_of(path, store, settings) for path in variants}
    base, _ = answers["base"]
    bootstrap = {"resamples": settings.resamples, "seed": settings.bootstrap_seed}
    return {
        "variants": {
            name: facts | {test_set: compared(right[test_set], base[test_set], bootstrap) for test_set in right}
            for name, (right, facts) in answers.items()
        }
    }


def answers_of(folder: Path, store: Path, settings: Settings) -> tuple[Right, dict[str, Any]]:
    """Which faces every seed in `folder` names right, and what to say of its network."""
    device = pick_device(settings.device)
    precision = pick_precision(settings.precision, device)
    right: dict[str, list[NDArray[np.bool_]]] = {}
    facts: dict[str, Any] = {}
    with open_store(store) as file:
        faces = {split: read_split(file, split) for split in (Split.public_test, Split.private_test)}
    for weights in sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem)):
        classifier, provenance = load_classifier(weights)
        for split, of in faces.items():
            images = torch.from_numpy(of.images).unsqueeze(1).to(device)
            size = settings.batch_size
            scores = predict(classifier.to(device), images, precision, batch_size=size, views=classifier.views)
            right.setdefault(split, []).append(scores.cpu().numpy().argmax(1) == of.labels)
        right.setdefault(LEAK_FREE, []).append(right[Split.private_test][-1][~faces[Split.private_test].in_training])
        facts = {name: provenance[name] for name in ("parameters", "flops", "recipe", "training_faces", "model")}
    return {name: np.stack(seeds) for name, seeds in right.items()}, facts


def compared(right: NDArray[np.bool_], base: NDArray[np.bool_], bootstrap: dict[str, int]) -> dict[str, Any]:
    """Means over seeds and their intervals, and the same for the difference from base; (seeds, N) both."""
    over_seeds = spread([float(seed.mean()) for seed in right])
    interval = accuracy_interval(right, **bootstrap)
    difference = difference_interval(right, base, **bootstrap)
    return {
        "accuracy": over_seeds.mean,
        "accuracy_std": over_seeds.std,
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "difference": float(right.mean() - base.mean()),
        "difference_low": difference.low,
        "difference_high": difference.high,
        "seeds": len(right),
    }


def write_table(metrics: Path, readme: Path, dataset: str) -> None:
    """The table between the README's marks, where it has any for the dataset, from the rounded numbers in `metrics`."""
    text = readme.read_text(encoding="utf-8")
    if f"ablation:{dataset}:begin" in text:
        block = ablation_block(json.loads(metrics.read_text(encoding="utf-8")))
        write_text(readme, replace_between_marks(text, f"ablation:{dataset}", block))


def ablation_block(summary: Mapping[str, Any]) -> str:
    """The table for the README, best difference first, and what it was measured with."""
    variants = summary["variants"]
    if not variants:
        return "Not yet run."
    rows = [row(name, variants[name]) for name in ordered(variants)]
    return markdown(HEADER, rows) + "\n\n" + conditions(variants["base"])


def ordered(variants: Mapping[str, Any]) -> list[str]:
    """base, then the others by what they are worth on PrivateTest."""
    others = sorted(set(variants) - {"base"}, key=lambda name: (-variants[name]["PrivateTest"]["difference"], name))
    return ["base", *others]


def conditions(base: Mapping[str, Any]) -> str:
    """What the ablation was measured with."""
    recipe = base["recipe"]
    side = recipe.get("input_size", IMAGE_SIZE)
    return (
        f"Measured with {base['model']} at {side}x{side} pixels with {base['parameters']:,} parameters, "
        f"{base['training_faces']:,} faces of Training, {recipe['epochs']} epochs, {base['PrivateTest']['seeds']} "
        "seeds: a small network and a short run, which another one need not follow."
    )


def row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    private = entry["PrivateTest"]
    difference = NOT_MEASURED
    if name != "base":
        low, high = 100 * private["difference_low"], 100 * private["difference_high"]
        difference = f"{100 * private['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
    return (
        name,
        *(with_spread(entry[test_set]) for test_set in ("PublicTest", "PrivateTest", LEAK_FREE)),
        difference,
        f"{entry['parameters']:,}",
    )


def with_spread(scores: Mapping[str, Any]) -> str:
    std = scores["accuracy_std"]
    return f"{100 * scores['accuracy']:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")
