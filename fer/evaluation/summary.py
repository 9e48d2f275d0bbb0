"""Every system beside the others and beside its report: the content of metrics/{dataset}/summary.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.data.votes import Votes
from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.calibration import measure_calibration
from fer.evaluation.class_weights import effects, twins
from fer.evaluation.crowd import Crowd, crowds_of, label_noise, measure_against_crowd, summarise_against_crowd
from fer.evaluation.intervals import accuracy_interval, difference_interval, mcnemar, spread
from fer.evaluation.leaks import summarise_leaks
from fer.evaluation.metrics import TEST_SETS, by_test_set, class_scores, confusion, is_correct, scores
from fer.evaluation.plots_data import row_shares
from fer.evaluation.predictions import Predictions
from fer.reports import Reported

SPREAD_METRICS = ("accuracy", "macro_f1", "balanced_accuracy", "top2_accuracy", "merged_accuracy", "log_loss")
CALIBRATION_METRICS = ("ece", "log_loss", "confidence")
CONFUSIONS = 5
DESCRIBED = ("parameters", "starts_from", "flops", "train_pflop", "device")

Seeds = Mapping[int, Mapping[Split, Predictions]]


def summarise(
    predictions: Mapping[str, Seeds],
    *,
    reported: Mapping[str, Reported | None],
    described: Mapping[str, Mapping[str, Any]],
    votes: Votes | None,
    provenances: Mapping[str, Mapping[str, Any]],
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    bootstrap_seed: int,
) -> dict[str, Any]:
    """Means and spreads over seeds, the reports' numbers beside them, and the paired tests.

    Args:
        predictions: per system and seed, both test splits. A system that is only in `reported` is not yet run.
        reported: per system, what its report printed; None for a system that is in no report.
        described: per system that was run, DESCRIBED as `describe` gives it.
        votes: the crowd's; None without.
        provenances: per system that was run, that of one of its seeds.
        pairs: systems tested against each other, each over the seeds that both have.
        resamples, bootstrap_seed: of the 95 % intervals over faces.

    Raises:
        ValueError: two systems of a pair were predicted on different faces, or a test set is empty or not finite.
        VotesError: the votes are not those of these faces.
    """
    bootstrap = {"resamples": resamples, "seed": bootstrap_seed}
    any_run = next((run for seeds in predictions.values() for run in seeds.values()), None)
    crowds = crowds_of(votes, any_run) if any_run else None
    systems = {}
    for system in {**reported, **predictions}:
        entry = summarise_system(predictions.get(system, {}), crowds, bootstrap)
        printed = reported.get(system)
        systems[system] = {
            **entry,
            **{name: described.get(system, {}).get(name) for name in DESCRIBED},
            "reported": asdict(printed) if printed else None,
            "verdict": verdict(entry, printed),
        }
    tested = {
        f"{first}_vs_{second}": compare(
            (first, second), (predictions.get(first, {}), predictions.get(second, {})), bootstrap
        )
        for first, second in pairs
    }
    return {
        "systems": systems,
        "pairs": tested,
        "class_weights": effects(systems, twins(provenances)),
        "label_noise": {split.value: label_noise(crowd) for split, crowd in crowds.items()} if crowds else None,
    }


def describe(provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A system's size, start and cost from its runs' provenance, one of them a seed and at least one.

    `parameters` and `flops` (forward, an image) are the network's; `starts_from` is `random` where a run does not say
    otherwise. `train_pflop` is the mean over seeds of the compute that training spent, in 1e15 operations: unlike the
    time it is the same in every run. `flops` and `train_pflop` are None where a run does not tell. `device` names all
    that the seeds were trained on.
    """
    network = provenances[-1]
    spent = [run.get("train_pflop") for run in provenances]
    told = [value for value in spent if value is not None]
    return {
        "parameters": network["parameters"],
        "starts_from": network.get("starts_from", "random"),
        "flops": network.get("flops"),
        "train_pflop": spread(told).mean if len(told) == len(spent) else None,
        "device": ", ".join(sorted({run["device"] for run in provenances})),
    }


def summarise_system(seeds: Seeds, crowds: Mapping[Split, Crowd] | None, bootstrap: dict[str, int]) -> dict[str, Any]:
    """Per test set, the mean and standard deviation of each metric over seeds, and the interval of accuracy.

    Beside them, on PrivateTest: `leaks`, `calibration`, `crowd` (None without votes) and `confusions`. A system without
    seeds has none of it.
    """
    if not seeds:
        return {"seeds": 0}
    runs = runs_by_test_set(seeds)
    private = runs[Split.private_test]
    return (
        {"seeds": len(seeds)}
        | {name: summarise_set(runs[name], bootstrap) for name in runs}
        | {
            "leaks": summarise_leaks(private, **bootstrap),
            "calibration": summarise_calibration(seeds),
            "crowd": summarise_against_crowd(
                [measure_against_crowd(run, crowds[Split.private_test]) for run in private]
            )
            if crowds
            else None,
            "confusions": most_confused(private),
        }
    )


def summarise_calibration(seeds: Seeds) -> dict[str, Any]:
    """The mean over seeds, before and after temperature scaling, and the deviation of the calibration error."""
    measured = [measure_calibration(seeds[seed]) for seed in sorted(seeds)]
    result: dict[str, Any] = {"temperature": spread([run["temperature"] for run in measured]).mean}
    for scaling in ("before", "after"):
        means = {name: spread([run[scaling][name] for run in measured]) for name in CALIBRATION_METRICS}
        result[scaling] = {name: over.mean for name, over in means.items()} | {"ece_std": means["ece"].std}
    return result


def most_confused(runs: Sequence[Predictions]) -> dict[str, float]:
    """The largest shares of a class's faces that were named another: `fear_as_sad`, over all seeds together."""
    shares = row_shares(np.sum([confusion(run) for run in runs], axis=0))  # (7, 7)
    np.fill_diagonal(shares, 0.0)
    largest = np.argsort(-shares, axis=None, kind="stable")[:CONFUSIONS]
    cells = zip(*np.unravel_index(largest, shares.shape), strict=True)
    return {
        f"{EMOTION_NAMES[actual]}_as_{EMOTION_NAMES[named]}": float(shares[actual, named]) for actual, named in cells
    }


def summarise_set(runs: Sequence[Predictions], bootstrap: dict[str, int]) -> dict[str, Any]:
    """One system on one test set, a run a seed."""
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


def verdict(entry: Mapping[str, Any], printed: Reported | None) -> str:
    """Whether the mean over seeds is at least the printed number, on the same split."""
    if entry["seeds"] == 0:
        return "not yet run"
    if printed is None or printed.accuracy is None or printed.split is None:
        return "no printed number"
    return "reached" if entry[printed.split]["accuracy"] >= printed.accuracy else "not reached"


def compare(names: tuple[str, str], systems: tuple[Seeds, Seeds], bootstrap: dict[str, int]) -> dict[str, Any]:
    """Two systems on the same faces: per seed McNemar's b, c and p; the difference of their mean accuracies."""
    shared = sorted(set(systems[0]) & set(systems[1]))
    if not shared:
        return {"first": names[0], "second": names[1], "seeds": 0}
    first, second = (runs_by_test_set({seed: system[seed] for seed in shared}) for system in systems)
    result: dict[str, Any] = {"first": names[0], "second": names[1], "seeds": len(shared)}
    for test_set in TEST_SETS:
        same_faces(names, test_set, first[test_set], second[test_set])
        right, other = correctness(first[test_set]), correctness(second[test_set])
        interval = difference_interval(right, other, **bootstrap)
        result[test_set] = {
            "difference": float(right.mean() - other.mean()),
            "difference_low": interval.low,
            "difference_high": interval.high,
            "mcnemar": {
                str(seed): mcnemar(*answers)._asdict() for seed, *answers in zip(shared, right, other, strict=True)
            },
        }
    return result


def runs_by_test_set(seeds: Seeds) -> dict[str, list[Predictions]]:
    """Per test set, a run a seed, in the order of the seeds."""
    runs = [by_test_set(seeds[seed]) for seed in sorted(seeds)]
    return {name: [run[name] for run in runs] for name in TEST_SETS} if runs else {}


def correctness(runs: Sequence[Predictions]) -> NDArray[np.bool_]:
    """Which faces each run names right, (seeds, N)."""
    return np.stack([is_correct(run) for run in runs])


def same_faces(
    names: tuple[str, str], test_set: str, first: Sequence[Predictions], second: Sequence[Predictions]
) -> None:
    """Raises ValueError unless every run saw the same rows with the same labels: paired tests need pairs."""
    for run in (*first, *second):
        if not (np.array_equal(run.rows, first[0].rows) and np.array_equal(run.labels, first[0].labels)):
            raise ValueError(f"{names[0]} and {names[1]} were predicted on different faces of {test_set}")
