"""Whether a network knows the faces it has trained on: accuracy on leaked against clean faces of PrivateTest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import Split
from fer.evaluation.intervals import accuracy_over_seeds
from fer.evaluation.metrics import correctness, is_correct
from fer.predictions.format import Predictions

EXACT, NEAR, CLEAN = GROUPS = ("exact_copies", "near_duplicates", "clean")


def leak_groups(predictions: Predictions) -> dict[str, NDArray[np.bool_]]:
    """Return three groups that make up the split, (N,) each.

    `exact_copies` also stand in Training byte for byte, `near_duplicates` nearly (fer/data/near_duplicates.py), the
    others are `clean`.
    """
    near = predictions.near_duplicate & ~predictions.in_training
    return dict(zip(GROUPS, (predictions.in_training, near, ~predictions.in_training & ~near), strict=True))


def measure_leaks(splits: Mapping[Split, Predictions]) -> dict[str, Any]:
    """Return, for one seed, faces and accuracy of each group of PrivateTest; the accuracy of no faces is None."""
    private = splits[Split.private_test]
    correct = is_correct(private)
    return {
        group: {"faces": int(of.sum()), "accuracy": float(correct[of].mean()) if of.any() else None}
        for group, of in leak_groups(private).items()
    }


def summarise_leaks(runs: Sequence[Predictions], *, resamples: int, seed: int) -> dict[str, Any]:
    """Return the mean over seeds of each group of PrivateTest, its deviation, and the 95 % interval over faces."""
    unknown = dict.fromkeys(("accuracy", "accuracy_std", "accuracy_low", "accuracy_high"))
    correct = correctness(runs)
    return {
        group: {"faces": int(of.sum())}
        | (accuracy_over_seeds(correct[:, of], resamples=resamples, seed=seed) if of.any() else unknown)
        for group, of in leak_groups(runs[0]).items()
    }
