"""An ensemble: the mean of its members' probabilities, the members chosen on PublicTest alone.

Ensemble selection from a library of networks: Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004. In each round the
network that helps the mean most is added, and it may be added again: how often it was is its weight. Before that each
network's probabilities are made comparable by a temperature of its own, fitted on PublicTest as well.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.emotions import Split
from fer.errors import UserError
from fer.evaluation.calibration import fit_temperature, scaled
from fer.evaluation.metrics import LEAK_FREE, is_correct, log_loss, measure
from fer.evaluation.predictions import TEST_SPLITS, Predictions, read_predictions, write_predictions
from fer.evaluation.summary import compare
from fer.evaluation.tables import replace_between_marks
from fer.files import write_json, write_text

Splits = Mapping[Split, Predictions]


@dataclass(frozen=True)
class Member:
    """How much of the mean is a network's, and what its logits are divided by first."""

    weight: float
    temperature: float


def write_ensemble(
    folder: Path, systems: Sequence[str], out: Path, metrics: Path, *, rounds: int, resamples: int, bootstrap_seed: int
) -> None:
    """Chooses among all seeds of `systems` in `folder` and writes what the ensemble says and how good it is.

    `out`/0.safetensors has its predictions, a file like any system's; `metrics` its members, their weights and
    temperatures, its scores, and the paired comparison with the member of the library that is best on PublicTest.

    Raises:
        UserError: no system has predictions.
    """
    library, provenances = read_library(folder, systems)
    public = {name: splits[Split.public_test] for name, splits in library.items()}
    members = choose(public, rounds=rounds)
    splits = combine(library, members)
    provenance = describe(members, provenances)
    write_predictions(out / "0.safetensors", splits, provenance)
    single = best_single(public)
    bootstrap = {"resamples": resamples, "seed": bootstrap_seed}
    content = {
        "candidates": len(library),
        "members": {name: {**vars(member), **accuracies(library[name])} for name, member in members.items()},
        "parameters": provenance["parameters"],
        "flops": provenance["flops"],
        "best_single": {"name": single, **accuracies(library[single])},
        "against_best_single": compare(("ensemble", single), ({0: splits}, {0: library[single]}), bootstrap),
    }
    write_json(metrics, content | measure(splits, resamples=resamples, bootstrap_seed=bootstrap_seed))


def write_paragraph(metrics: Path, readme: Path, dataset: str) -> None:
    """What came out, between the README's marks, where it has any for the dataset."""
    text = readme.read_text(encoding="utf-8")
    if f"ensemble:{dataset}:begin" in text:
        block = ensemble_block(json.loads(metrics.read_text(encoding="utf-8")))
        write_text(readme, replace_between_marks(text, f"ensemble:{dataset}", block))


def ensemble_block(content: Mapping[str, Any]) -> str:
    """The ensemble beside the best single network, in words; from metrics/{dataset}/ensemble.json."""
    private, single = content["PrivateTest"], content["best_single"]
    against = content["against_best_single"]["PrivateTest"]
    heaviest = sorted(content["members"].items(), key=lambda item: (-item[1]["weight"], item[0]))[:3]
    members = ", ".join(f"`{name}` ({100 * member['weight']:.0f} %)" for name, member in heaviest)
    return (
        f"{len(content['members'])} of {content['candidates']} candidates, {content['parameters']:,} parameters "
        f"together; the heaviest: {members}.\n"
        f"**{100 * private['accuracy']:.1f} % of PrivateTest** (95 % interval {100 * private['accuracy_low']:.1f} to "
        f"{100 * private['accuracy_high']:.1f}), {100 * content[LEAK_FREE]['accuracy']:.1f} % leak-free, "
        f"{100 * content['PublicTest']['accuracy']:.1f} % of PublicTest, where it was chosen.\n"
        f"The network that is best on PublicTest, `{single['name']}`, has {100 * single['PrivateTest']:.1f} % of "
        f"PrivateTest: {100 * against['difference']:+.1f} points for the ensemble, 95 % interval "
        f"{100 * against['difference_low']:.1f} to {100 * against['difference_high']:.1f}."
    )


def read_library(folder: Path, systems: Sequence[str]) -> tuple[dict[str, Splits], dict[str, dict[str, Any]]]:
    """Every seed's predictions and provenance by `system/seed`, in the order of the names."""
    paths = [path for system in sorted(systems) for path in sorted((folder / system).glob("*.safetensors"))]
    read = {f"{path.parent.name}/{path.stem}": read_predictions(path) for path in paths}
    if not read:
        raise UserError(f"{folder}: no system has predictions to choose from")
    return {name: splits for name, (splits, _) in read.items()}, {name: run for name, (_, run) in read.items()}


def choose(public: Mapping[str, Predictions], *, rounds: int) -> dict[str, Member]:
    """Members and weights from what each network says of PublicTest; it is given nothing else.

    Greedy and with replacement: in each of `rounds` rounds the network joins that makes the mean most accurate, of
    equally accurate ones that with the least log loss, of those the first by name. Of the ensembles after each round
    the best one is kept, the smallest of equals.
    """
    names = sorted(public)
    temperatures = {name: fit_temperature(public[name]) for name in names}
    each = np.stack([scaled(public[name], temperatures[name]).probabilities for name in names])  # (M, N, 7)
    labels = public[names[0]].labels.astype(np.int64)  # (N,)
    total = np.zeros_like(each[0])
    order: list[int] = []
    reached: list[tuple[float, float]] = []
    for _ in range(rounds):
        ranks = [rank(total + candidate, labels) for candidate in each]
        best = max(range(len(names)), key=ranks.__getitem__)  # the first of equals
        total += each[best]
        order.append(best)
        reached.append(ranks[best])
    kept = order[: reached.index(max(reached)) + 1]
    return {
        names[place]: Member(kept.count(place) / len(kept), temperatures[names[place]]) for place in sorted(set(kept))
    }


def rank(total: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy, then minus the log loss, of a sum of probabilities (N, 7); larger is better."""
    right = (total.argmax(axis=1) == labels).mean()
    likelihood = total[np.arange(len(labels)), labels] / total.sum(axis=1)
    return float(right), round(float(np.log(np.maximum(likelihood, 1e-300)).mean()), 9)


def combine(library: Mapping[str, Splits], members: Mapping[str, Member]) -> dict[Split, Predictions]:
    """What the ensemble says of each split; its logits are the logarithms of its probabilities.

    Raises ValueError where two members were predicted on different faces.
    """
    return {split: mean({name: library[name][split] for name in members}, members) for split in TEST_SPLITS}


def mean(runs: Mapping[str, Predictions], members: Mapping[str, Member]) -> Predictions:
    first = next(iter(runs.values()))
    if any(not np.array_equal(run.rows, first.rows) for run in runs.values()):
        raise ValueError(f"{', '.join(runs)} were predicted on different faces")
    weighted = [
        members[name].weight * scaled(run, members[name].temperature).probabilities for name, run in runs.items()
    ]
    return replace(first, logits=np.log(np.maximum(np.sum(weighted, axis=0), 1e-30)).astype(np.float32))


def best_single(public: Mapping[str, Predictions]) -> str:
    """The network that is most accurate on PublicTest; of equals that with the least log loss."""
    return max(sorted(public), key=lambda name: (is_correct(public[name]).mean(), -log_loss(public[name])))


def accuracies(splits: Splits) -> dict[str, float]:
    private = splits[Split.private_test]
    sets = {"PublicTest": splits[Split.public_test], "PrivateTest": private, "leak_free": private.leak_free()}
    return {name: float(is_correct(run).mean()) for name, run in sets.items()}


def describe(members: Mapping[str, Member], provenances: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The ensemble as one network: what its members need together. What one of them does not tell is None."""
    runs = [provenances[name] for name in members]
    sums = {
        name: None if any(run.get(name) is None for run in runs) else math.fsum(run[name] for run in runs)
        for name in ("parameters", "flops", "train_pflop")
    }
    return {
        "system": "ensemble",
        "model": "ensemble",
        "seed": 0,
        "network": {},
        "recipe": {},
        "members": {name: vars(member) for name, member in members.items()},
        "starts_from": ", ".join(sorted({run.get("starts_from", "random") for run in runs})),
        "device": ", ".join(sorted({run["device"] for run in runs})),
        **{name: value if value is None or name == "train_pflop" else int(value) for name, value in sums.items()},
    }
