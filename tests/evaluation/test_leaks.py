"""Accuracy on leaked and clean faces, on toys that know or do not know their copies."""

import numpy as np
import pytest

from fer.constants import Split
from fer.evaluation.leaks import leak_groups, measure_leaks, summarise_leaks
from fer.predictions.format import Predictions
from tests.evaluation.test_metrics import both, predictions


def toy(right: list[bool], exact: list[bool], near: list[bool]) -> Predictions:
    named = np.where(right, 3, 4)
    return Predictions(
        np.eye(7, dtype=np.float32)[named], np.full(len(right), 3, np.uint8), np.arange(len(right)),
        np.array(exact), np.array(near),
    )  # fmt: skip


def test_each_face_is_in_one_group() -> None:
    groups = leak_groups(toy([True] * 4, [True, True, False, False], [True, False, True, False]))
    assert {name: of.tolist() for name, of in groups.items()} == {
        "exact_copies": [True, True, False, False],
        "near_duplicates": [False, False, True, False],
        "clean": [False, False, False, True],
    }
    drawn = leak_groups(predictions())
    assert sum(of.sum() for of in drawn.values()) == 200


def test_a_network_that_knows_its_copies() -> None:
    private = toy([True, True, True, False, False], [True, True, False, False, False], [True, True, True, False, False])
    measured = measure_leaks(both() | {Split.private_test: private})
    assert measured == {
        "exact_copies": {"faces": 2, "accuracy": 1.0},
        "near_duplicates": {"faces": 1, "accuracy": 1.0},
        "clean": {"faces": 2, "accuracy": 0.0},
    }


def test_the_mean_over_seeds_and_a_group_without_faces() -> None:
    no = [False] * 4
    runs = [toy([True, True, True, False], no, no), toy([True, False, False, False], no, no)]
    summary = summarise_leaks(runs, resamples=200, seed=0)
    clean = summary["clean"]
    assert clean["accuracy"] == pytest.approx(0.5)
    assert clean["accuracy_std"] == pytest.approx(0.5 / 2**0.5)
    assert clean["accuracy_low"] < 0.5 < clean["accuracy_high"]
    assert summary["exact_copies"] == {
        "faces": 0, "accuracy": None, "accuracy_std": None, "accuracy_low": None, "accuracy_high": None,
    }  # fmt: skip
