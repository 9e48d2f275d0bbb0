"""Whether a network's confidence is how often it is right, and what one number, the temperature, mends of it.

Expected calibration error over 15 equal bins of confidence, and temperature scaling: Guo, Pleiss, Sun and Weinberger,
"On calibration of modern neural networks" (ICML 2017), equations 3 and 9. The confidence is the largest probability.
The temperature is fitted on PublicTest alone and measured on PrivateTest; it changes no answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from fer.constants import Split
from fer.evaluation.metrics import is_correct, log_loss
from fer.predictions.format import Predictions

BINS = 15
AS_TRAINED, SCALED = "as trained", "temperature scaled"  # in the order that DVC's plots sort them
RANGE = (np.log(0.01), np.log(100.0))  # of the temperature's logarithm


class Reliability(NamedTuple):
    """Bins of confidence: ](b - 1) / B, b / B], (B,) each; a bin without faces has a confidence and accuracy of 0."""

    faces: NDArray[np.int64]
    confidence: NDArray[np.float64]  # the mean of its faces
    accuracy: NDArray[np.float64]


def reliability(*runs: Predictions) -> Reliability:
    """Return the bins of all the runs' faces together."""
    confidence = np.concatenate([run.probabilities.max(axis=1) for run in runs])  # (N,)
    correct = np.concatenate([is_correct(run) for run in runs])  # (N,)
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)  # (N,)
    faces = np.bincount(place, minlength=BINS)
    sums = (np.bincount(place, weights=of, minlength=BINS) for of in (confidence, correct))
    return Reliability(faces, *(of / np.maximum(faces, 1) for of in sums))


def expected_calibration_error(bins: Reliability) -> float:
    """Return the mean over faces of how far their bin's accuracy is from its confidence (Guo et al., equation 3)."""
    gaps = np.abs(bins.accuracy - bins.confidence)
    return float((bins.faces * gaps).sum() / max(bins.faces.sum(), 1))


def fit_temperature(predictions: Predictions) -> float:
    """Return what the logits are divided by for the least log loss (Guo et al., equation 9), from 0.01 to 100.

    The loss is convex in the temperature's inverse, so that it has one minimum.
    """
    fit = minimize_scalar(
        lambda logarithm: log_loss(scaled(predictions, float(np.exp(logarithm)))),
        bounds=RANGE, method="bounded", options={"xatol": 1e-6},
    )  # fmt: skip
    return round(float(np.exp(fit.x)), 4)


def scaled(predictions: Predictions, temperature: float) -> Predictions:
    return replace(predictions, logits=predictions.logits / np.float32(temperature))


def measure_calibration(splits: Mapping[Split, Predictions]) -> dict[str, Any]:
    """Return one seed's error and log loss on PrivateTest, before and after division by PublicTest's temperature."""
    temperature = fit_temperature(splits[Split.public_test])
    private = splits[Split.private_test]
    return {
        "temperature": temperature,
        "before": calibration_scores(private),
        "after": calibration_scores(scaled(private, temperature)),
    }


def calibration_scores(predictions: Predictions) -> dict[str, float]:
    return {
        "ece": expected_calibration_error(reliability(predictions)),
        "log_loss": log_loss(predictions),
        "confidence": float(predictions.probabilities.max(axis=1).mean()),
    }


def pooled_reliability(runs: Sequence[Mapping[Split, Predictions]]) -> dict[str, Reliability]:
    """Return all seeds' PrivateTest faces in one set of bins, as trained and scaled by each seed's own temperature."""
    private = [run[Split.private_test] for run in runs]
    after = [scaled(run[Split.private_test], fit_temperature(run[Split.public_test])) for run in runs]
    both = zip((AS_TRAINED, SCALED), (private, after), strict=True)
    return {name: reliability(*of) for name, of in both}


def mean_errors(measured: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean over seeds of the ECE that `measure_calibration` gives, as trained and scaled."""
    keys = {AS_TRAINED: "before", SCALED: "after"}
    return {name: float(np.mean([run[key]["ece"] for run in measured])) for name, key in keys.items()}
