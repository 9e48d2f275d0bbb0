"""Every system against the others and against its report: the content of docs/results.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fer.constants import EMOTION_NAMES
from fer.evaluation.calibration import measure_calibration
from fer.evaluation.intervals import accuracy_interval, spread
from fer.evaluation.leaks import summarise_leaks
from fer.evaluation.metrics import TEST_SETS, class_scores, confusion, scores
from fer.evaluation.paired import Seeds, compare, correctness, runs_by_test_set
from fer.evaluation.plots_data import row_shares
from fer.predictions.format import Predictions
from fer.report.class_weights import effects, twins
from fer.report.printed import REPORTED
from fer.report.systems import System

SPREAD_METRICS = ("accuracy", "macro_f1", "balanced_accuracy", "top2_accuracy", "merged_accuracy", "log_loss")
CALIBRATION_METRICS = ("ece", "log_loss", "confidence")
CONFUSIONS = 5


def summarise(
    systems: Mapping[str, System],
    *,
    not_run: Mapping[str, str],
    printed: bool,
    agreement: Mapping[str, Any],
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    bootstrap_seed: int,
) -> dict[str, Any]:
    """Return means and spreads over seeds, the reports' numbers, and the paired tests.

    Args:
        systems: those with predictions.
        not_run: the others, and why.
        printed: whether the data are those of the reports, so that their printed numbers mean something.
        agreement: the content of metrics/agreement.json; empty without FER+ votes.
        pairs: systems tested against each other, over the seeds that both have; others than `systems` are left out.
        resamples, bootstrap_seed: of the 95 % intervals over faces.

    Raises:
        ValueError: two systems of a pair were predicted on different faces, or a test set is empty.
    """
    bootstrap = {"resamples": resamples, "seed": bootstrap_seed}
    reported = {name: asdict(of) for name, of in REPORTED.items()} if printed else {}
    measured = {
        name: {
            **summarise_seeds(system.seeds, bootstrap),
            **describe(list(system.provenances.values())),
            "reported": reported.get(name),
            "agreement": agreement.get("systems", {}).get(name),
        }
        for name, system in systems.items()
    }
    for entry in measured.values():
        entry["verdict"] = verdict(entry)
    runs = {name: next(iter(system.provenances.values())) for name, system in systems.items()}
    waiting = {
        name: {"seeds": 0, "not_run": why, "verdict": "not run", "reported": reported.get(name)}
        for name, why in not_run.items()
    }
    return {
        "systems": measured | waiting,
        "pairs": {
            f"{first}_vs_{second}": compare((first, second), (systems[first].seeds, systems[second].seeds), bootstrap)
            for first, second in pairs
            if first in systems and second in systems
        },
        "class_weights": effects(measured, twins(runs)),
        "label_noise": agreement.get("labels"),
    }


def verdict(entry: Mapping[str, Any]) -> str:
    """Return whether the mean over seeds is at least the printed number, on the same split."""
    reported = entry["reported"]
    if reported is None or reported["accuracy"] is None:
        return "no printed number"
    return "reached" if entry[reported["split"]]["accuracy"] >= reported["accuracy"] else "not reached"


def describe(provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a system's size, start and cost from its runs' provenance, one of them a seed and at least one.

    `parameters` and `flops` (forward, an image) are the network's. `train_pflop` is the mean over seeds of the compute
    that training spent, in 1e15 operations: unlike the time it is the same in every run. `device` names all that the
    seeds were trained on.
    """
    network = provenances[-1]
    return {
        "parameters": network["parameters"],
        "starts_from": network["starts_from"],
        "flops": network["flops"],
        "train_pflop": spread([run["train_pflop"] for run in provenances]).mean,
        "device": ", ".join(sorted({run["device"] for run in provenances})),
    }


def summarise_seeds(seeds: Seeds, bootstrap: dict[str, int]) -> dict[str, Any]:
    """Return every test set over the seeds, and what is measured on PrivateTest alone."""
    runs = runs_by_test_set(seeds)
    private = runs["PrivateTest"]
    return {
        "seeds": len(seeds),
        **{test_set: summarise_set(runs[test_set], bootstrap) for test_set in TEST_SETS},
        "calibration": summarise_calibration(seeds),
        "leaks": summarise_leaks(private, **bootstrap),
        "confusions": most_confused(private),
    }


def summarise_set(runs: Sequence[Predictions], bootstrap: dict[str, int]) -> dict[str, Any]:
    """Return one system on one test set, a run a seed."""
    measured = [scores(run) for run in runs]
    classes = [class_scores(confusion(run)) for run in runs]
    interval = accuracy_interval(correctness(runs), **bootstrap)
    result: dict[str, Any] = {"faces": measured[0]["faces"]}
    for metric in SPREAD_METRICS:
        over_seeds = spread([run[metric] for run in measured])
        result |= {metric: over_seeds.mean, f"{metric}_std": over_seeds.std}
    return result | {
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "class_accuracy": {name: spread([run[name]["accuracy"] for run in classes]).mean for name in EMOTION_NAMES},
    }


def summarise_calibration(seeds: Seeds) -> dict[str, Any]:
    """Return the mean over seeds, before and after temperature scaling, and the deviation of the calibration error."""
    measured = [measure_calibration(seeds[seed]) for seed in sorted(seeds)]
    result: dict[str, Any] = {"temperature": spread([run["temperature"] for run in measured]).mean}
    for scaling in ("before", "after"):
        means = {name: spread([run[scaling][name] for run in measured]) for name in CALIBRATION_METRICS}
        result[scaling] = {name: over.mean for name, over in means.items()} | {"ece_std": means["ece"].std}
    return result


def most_confused(runs: Sequence[Predictions]) -> dict[str, float]:
    """Return the largest shares of a class's faces that were named another: `fear_as_sad`, over all seeds together."""
    shares = row_shares(np.sum([confusion(run) for run in runs], axis=0))  # (7, 7)
    np.fill_diagonal(shares, 0.0)
    largest = np.argsort(-shares, axis=None, kind="stable")[:CONFUSIONS]
    cells = zip(*np.unravel_index(largest, shares.shape), strict=True)
    return {
        f"{EMOTION_NAMES[actual]}_as_{EMOTION_NAMES[named]}": float(shares[actual, named]) for actual, named in cells
    }
