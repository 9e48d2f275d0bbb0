"""Every system against the others and against its report: the content of docs/results.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fer.constants import EMOTION_NAMES
from fer.evaluation.calibration import measure_calibration
from fer.evaluation.intervals import accuracy_over_seeds, over_seeds, spread
from fer.evaluation.leaks import summarise_leaks
from fer.evaluation.metrics import TEST_SETS, class_scores, confusion, correctness, scores
from fer.evaluation.paired import Seeds, compare, runs_by_test_set
from fer.evaluation.plots_data import row_shares
from fer.predictions.format import Predictions
from fer.report.printed import REPORTED
from fer.report.systems import System

SPREAD_METRICS = ("accuracy", "macro_f1", "balanced_accuracy", "top2_accuracy", "merged_accuracy", "log_loss")
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
    against_votes = agreement.get("systems", {})
    measured = {
        name: summarise_system(system, reported.get(name), against_votes.get(name), bootstrap)
        for name, system in systems.items()
    }
    others = {
        name: {"seeds": 0, "not_run": why, "verdict": "not run", "reported": reported.get(name)}
        for name, why in not_run.items()
    }
    return {
        "systems": measured | others,
        "pairs": {
            f"{first}_vs_{second}": compare((first, second), (systems[first].seeds, systems[second].seeds), bootstrap)
            for first, second in pairs
            if first in systems and second in systems
        },
        "label_noise": agreement.get("labels"),
    }


def summarise_system(
    system: System, reported: dict[str, Any] | None, agreement: dict[str, Any] | None, bootstrap: dict[str, int]
) -> dict[str, Any]:
    measured = summarise_seeds(system.seeds, bootstrap)
    return {
        **measured,
        **describe(list(system.provenances.values())),
        "reported": reported,
        "agreement": agreement,
        "verdict": verdict(measured, reported),
    }


def verdict(measured: Mapping[str, Any], reported: Mapping[str, Any] | None) -> str:
    """Return whether the mean over seeds is at least the printed number, on the same split."""
    if reported is None or reported["accuracy"] is None:
        return "no printed number"
    return "reached" if measured[reported["split"]]["accuracy"] >= reported["accuracy"] else "not reached"


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
    return {
        "faces": measured[0]["faces"],
        **over_seeds(measured, SPREAD_METRICS),
        **accuracy_over_seeds(correctness(runs), **bootstrap),
        "class_accuracy": {name: spread([run[name]["accuracy"] for run in classes]).mean for name in EMOTION_NAMES},
    }


def summarise_calibration(seeds: Seeds) -> dict[str, Any]:
    """Return the mean over seeds, before and after temperature scaling, and the deviation of the calibration error."""
    measured = [measure_calibration(seeds[seed]) for seed in sorted(seeds)]
    result: dict[str, Any] = {"temperature": spread([run["temperature"] for run in measured]).mean}
    for scaling in ("before", "after"):
        means = over_seeds([run[scaling] for run in measured], ("ece", "log_loss", "confidence"))
        result[scaling] = {name: means[name] for name in ("ece", "ece_std", "log_loss", "confidence")}
    return result


def most_confused(runs: Sequence[Predictions]) -> dict[str, float]:
    """Return the largest shares of a class's faces that were named another: `fear_as_sad`, over all seeds together."""
    shares = row_shares(confusion(*runs))  # (7, 7)
    np.fill_diagonal(shares, 0.0)
    largest = np.argsort(-shares, axis=None, kind="stable")[:CONFUSIONS]
    cells = zip(*np.unravel_index(largest, shares.shape), strict=True)
    return {
        f"{EMOTION_NAMES[actual]}_as_{EMOTION_NAMES[named]}": float(shares[actual, named]) for actual, named in cells
    }
