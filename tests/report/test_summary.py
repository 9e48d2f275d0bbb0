"""The summary's means, verdicts and pairs."""

from typing import Any

import pytest

from fer.constants import Split
from fer.report.summary import describe, summarise, verdict
from fer.report.systems import System
from tests.evaluation.test_metrics import both
from tests.report.folder import provenance

SETTINGS: Any = {"not_run": {}, "printed": True, "agreement": {}, "pairs": [], "resamples": 100, "bootstrap_seed": 0}


def system(*skills: float, **changes: Any) -> System:
    """Return a run a skill, all on the same faces."""
    seeds = {seed: both(skill=skill) for seed, skill in enumerate(skills)}
    return System(seeds, {seed: provenance("toy", seed, **changes) for seed in seeds}, [])


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    changes = {"not_run": {"le_deep": "needs a GPU"}, "pairs": [("tuwani", "weak"), ("tuwani", "le_deep")]}
    return summarise({"tuwani": system(2.0, 2.5), "weak": system(0.5)}, **(SETTINGS | changes))


def test_means_and_deviations_over_seeds(summary: dict[str, Any]) -> None:
    entry = summary["systems"]["tuwani"]
    runs = [both(skill=skill)[Split.private_test] for skill in (2.0, 2.5)]
    accuracies = [float((run.predicted == run.labels).mean()) for run in runs]
    assert entry["PrivateTest"]["accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert entry["PrivateTest"]["accuracy_std"] == pytest.approx(abs(accuracies[0] - accuracies[1]) / 2**0.5)
    assert summary["systems"]["weak"]["PrivateTest"]["accuracy_std"] is None


def test_verdicts(summary: dict[str, Any]) -> None:
    systems = summary["systems"]
    assert systems["tuwani"]["verdict"] == "reached"  # printed: 58.9 % of PrivateTest
    assert systems["weak"]["verdict"] == "no printed number"
    assert systems["le_deep"]["verdict"] == "not run"
    assert systems["le_deep"]["not_run"] == "needs a GPU"
    assert verdict({"PublicTest": {"accuracy": 0.5}}, {"accuracy": 0.6, "split": "PublicTest"}) == "not reached"


def test_beside_other_data_nothing_is_printed() -> None:
    systems = summarise({"tuwani": system(2.0)}, **(SETTINGS | {"printed": False, "not_run": {"le_deep": ""}}))[
        "systems"
    ]
    assert [entry["reported"] for entry in systems.values()] == [None, None]
    assert systems["tuwani"]["verdict"] == "no printed number"


def test_pairs_are_tested_over_shared_seeds_and_left_out_without_predictions(summary: dict[str, Any]) -> None:
    assert set(summary["pairs"]) == {"tuwani_vs_weak"}
    pair = summary["pairs"]["tuwani_vs_weak"]
    assert pair["seeds"] == 1
    assert pair["PrivateTest"]["mcnemar"]["0"]["p"] < 1e-6


def test_different_faces_cannot_be_paired() -> None:
    other = system(1.0)
    other.seeds[0][Split.private_test].rows[0] = 99
    with pytest.raises(ValueError, match="different faces of PrivateTest"):
        summarise({"a": system(1.0), "b": other}, **(SETTINGS | {"pairs": [("a", "b")]}))


def test_size_and_cost_come_from_the_runs() -> None:
    described = describe([provenance("toy", 0), provenance("toy", 1)])
    assert (described["parameters"], described["flops"], described["train_pflop"]) == (1234567, 46_800_000, 1.0)
    assert described["device"] == "cpu AVX2, cpu AVX3"
