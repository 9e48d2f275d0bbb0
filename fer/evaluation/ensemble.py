"""An ensemble: the mean of its members' probabilities, the members chosen on PublicTest alone.

Ensemble selection from a library of networks: Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004. In each round the
network that helps the mean most is added, and it may be added again: how often it was is its weight. Before that each
network's probabilities are made comparable by a temperature of its own, fitted on PublicTest as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import TEST_SPLITS, Split
from fer.evaluation.calibration import fit_temperature, scaled
from fer.evaluation.evaluate import headline, measure_seed
from fer.evaluation.metrics import is_correct, log_loss
from fer.evaluation.paired import compare, same_faces
from fer.files import write_json
from fer.predictions.format import (
    Predictions,
    PredictionsError,
    Splits,
    read_predictions,
    read_seeds,
    write_predictions,
)


@dataclass(frozen=True)
class Member:
    """How much of the mean is a network's, and what its logits are divided by first."""

    weight: float
    temperature: float


@dataclass(frozen=True)
class Places:
    """Where the ensemble goes."""

    out: Path  # a folder: 0.safetensors, predictions like any system's, and members.json
    headline: Path  # a file: the five numbers that `dvc metrics` shows
    seeds: Path  # a folder: everything, as 0.json


def write_ensemble(
    systems: Sequence[Path], places: Places, *, rounds: int, resamples: int, bootstrap_seed: int
) -> None:
    """Choose among all seeds of the systems, a folder of predictions each; write the ensemble and how good it is.

    Raises:
        PredictionsError: no system has predictions.
    """
    if not systems:
        raise PredictionsError("run.systems: no system has predictions to choose from")
    library, provenances = read_library(systems)
    public = {name: splits[Split.public_test] for name, splits in library.items()}
    members = choose(public, rounds=rounds)
    out = places.out / "0.safetensors"
    write_predictions(out, combine(library, members), describe(members, provenances))
    write_json(places.out / "members.json", {name: asdict(member) for name, member in members.items()})
    kept, provenance = read_predictions(out)  # in half precision, as everybody else reads them
    measured = measure_seed(kept, resamples=resamples, bootstrap_seed=bootstrap_seed)
    single = best_single(public)
    bootstrap = {"resamples": resamples, "seed": bootstrap_seed}
    content = {
        "candidates": len(library),
        "members": {name: {**asdict(member), **accuracies(library[name])} for name, member in members.items()},
        "best_single": {"name": single, **accuracies(library[single])},
        "against_best_single": compare(("ensemble", single), ({0: kept}, {0: library[single]}), bootstrap),
        "provenance": provenance,
    }
    write_json(places.seeds / "0.json", measured | content)
    write_json(places.headline, headline([measured]))


def read_library(systems: Sequence[Path]) -> tuple[dict[str, Splits], dict[str, dict[str, Any]]]:
    """Return every seed's predictions and provenance by `system/seed`.

    Raise PredictionsError where two of them were predicted on different faces.
    """
    library: dict[str, Splits] = {}
    provenances: dict[str, dict[str, Any]] = {}
    for path in systems:
        seeds, runs = read_seeds(path)
        library |= {f"{path.name}/{seed}": splits for seed, splits in seeds.items()}
        provenances |= {f"{path.name}/{seed}": run for seed, run in runs.items()}
    first = next(iter(library))
    for name, splits in library.items():
        for split in TEST_SPLITS:
            same_faces((first, name), split, [library[first][split]], [splits[split]])
    return library, provenances


def choose(public: Mapping[str, Predictions], *, rounds: int) -> dict[str, Member]:
    """Return members and weights from what each network says of PublicTest; it is given nothing else.

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
    """Return accuracy, then minus the log loss, of a sum of probabilities (N, 7); larger is better."""
    right = (total.argmax(axis=1) == labels).mean()
    likelihood = total[np.arange(len(labels)), labels] / total.sum(axis=1)
    return float(right), round(float(np.log(np.maximum(likelihood, 1e-300)).mean()), 9)


def combine(library: Mapping[str, Splits], members: Mapping[str, Member]) -> dict[Split, Predictions]:
    """Return what the ensemble says of each split; its logits are the logarithms of its probabilities."""
    return {split: mean({name: library[name][split] for name in members}, members) for split in TEST_SPLITS}


def mean(runs: Mapping[str, Predictions], members: Mapping[str, Member]) -> Predictions:
    weighted = [
        members[name].weight * scaled(run, members[name].temperature).probabilities for name, run in runs.items()
    ]
    logits = np.log(np.maximum(np.sum(weighted, axis=0), 1e-30)).astype(np.float32)
    return replace(next(iter(runs.values())), logits=logits)


def best_single(public: Mapping[str, Predictions]) -> str:
    """Return the network that is most accurate on PublicTest; of equals that with the least log loss."""
    return max(sorted(public), key=lambda name: (is_correct(public[name]).mean(), -log_loss(public[name])))


def accuracies(splits: Splits) -> dict[str, float]:
    private = splits[Split.private_test]
    sets = {"PublicTest": splits[Split.public_test], "PrivateTest": private, "leak_free": private.leak_free()}
    return {name: float(is_correct(run).mean()) for name, run in sets.items()}


def describe(members: Mapping[str, Member], provenances: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ensemble's provenance as one network's: what its members need together."""
    runs = [provenances[name] for name in members]
    return {
        "system": "ensemble",
        "seed": 0,
        "config": {},
        "members": {name: asdict(member) for name, member in members.items()},
        "data_sha256": runs[0]["data_sha256"],
        **{name: ", ".join(sorted({run[name] for run in runs})) for name in ("starts_from", "device", "precision")},
        **{name: sum(run[name] for run in runs) for name in ("parameters", "flops")},
        "train_pflop": math.fsum(run["train_pflop"] for run in runs),
    }
