"""The effect of a variant against its base: by hand, on toys, over the seeds that both have."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fer.constants import Split
from fer.errors import UserError
from fer.evaluation.ablation import measure_effect
from fer.evaluation.metrics import TEST_SETS
from fer.evaluation.paired import Seeds
from fer.predictions.format import Predictions, Splits
from tests.evaluation.test_metrics import predictions

PROVENANCE = {"parameters": 1234, "flops": 10, "training_faces": 4783, "seed": 0}
SETTINGS = {"resamples": 500, "bootstrap_seed": 0}


def answers(right: Sequence[bool]) -> Splits:
    labels = np.arange(len(right), dtype=np.uint8) % 7
    named = np.where(right, labels, (labels + 1) % 7)
    no = np.zeros(len(right), np.bool_)
    of = Predictions(np.eye(7, dtype=np.float32)[named], labels, np.arange(len(right)), no, no)
    return {Split.public_test: of, Split.private_test: of}


def test_a_difference_by_hand() -> None:
    base = {0: answers([True, False, False, False]), 1: answers([True, True, False, False])}
    variant = {0: answers([True, True, False, False]), 1: answers([True, True, True, False])}
    content = measure_effect("mixup", "net", (variant, base), PROVENANCE, **SETTINGS)
    assert (content["base"], content["seeds"], content["parameters"]) == ("net", 2, 1234)
    entry = content["PrivateTest"]
    assert (entry["accuracy"], entry["difference"]) == (0.625, 0.25)
    assert entry["difference_low"] <= 0.25 <= entry["difference_high"]
    assert entry["accuracy_std"] == pytest.approx(np.std([0.5, 0.75], ddof=1))
    assert set(TEST_SETS) < set(content)


def test_only_common_seeds_are_compared_and_all_of_the_variant_are_measured() -> None:
    base = {1: answers([False] * 4)}
    variant: Seeds = {0: answers([False] * 4), 1: answers([True] * 4)}
    content = measure_effect("mixup", "net", (variant, base), PROVENANCE, **SETTINGS)
    assert (content["seeds"], content["PublicTest"]["difference"]) == (1, 1.0)
    assert content["PublicTest"]["accuracy"] == 0.5


def test_no_common_seed_and_other_faces() -> None:
    with pytest.raises(UserError, match="mixup and net have no seed in common"):
        measure_effect("mixup", "net", ({0: answers([True])}, {1: answers([True])}), PROVENANCE, **SETTINGS)
    of = predictions()
    other = replace(of, rows=of.rows + 1)
    seeds = [{0: {Split.public_test: each, Split.private_test: each}} for each in (of, other)]
    with pytest.raises(ValueError, match="different faces"):
        measure_effect("mixup", "net", (seeds[0], seeds[1]), PROVENANCE, **SETTINGS)
