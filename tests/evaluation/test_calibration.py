"""Calibration on toys with known answers: a calibrated one has no error, a known temperature comes back."""

import numpy as np
import pytest

from fer.constants import Split
from fer.evaluation.calibration import (
    AS_TRAINED,
    BINS,
    SCALED,
    expected_calibration_error,
    fit_temperature,
    mean_errors,
    measure_calibration,
    pooled_reliability,
    reliability,
    scaled,
)
from fer.evaluation.metrics import log_loss
from fer.predictions.format import Predictions
from tests.evaluation.test_metrics import both, predictions


def toy(confidence: float, right: int, faces: int) -> Predictions:
    """`faces` of one confidence, `right` of them named right."""
    probabilities = np.full((faces, 7), (1 - confidence) / 6)
    probabilities[:, 3] = confidence
    labels = np.where(np.arange(faces) < right, 3, 4).astype(np.uint8)
    no = np.zeros(faces, np.bool_)
    return Predictions(np.log(probabilities).astype(np.float32), labels, np.arange(faces), no, no)


def drawn(faces: int, seed: int, *, temperature: float) -> Predictions:
    """Labels drawn from softmax(logits); the logits are then multiplied by the temperature that mends it."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=1.5, size=(faces, 7))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1).astype(np.uint8)  # the Gumbel-max trick
    no = np.zeros(faces, np.bool_)
    return Predictions((temperature * logits).astype(np.float32), labels, np.arange(faces), no, no)


@pytest.mark.parametrize(("confidence", "right"), [(0.3, 30), (0.5, 50), (0.75, 75)])
def test_a_calibrated_toy_has_no_error(confidence: float, right: int) -> None:
    assert expected_calibration_error(reliability(toy(confidence, right, 100))) == pytest.approx(0, abs=1e-6)


def test_the_error_is_the_gap() -> None:
    assert expected_calibration_error(reliability(toy(0.9, 60, 100))) == pytest.approx(0.3, abs=1e-6)


def test_bins_are_open_below_and_closed_above() -> None:
    """Guo et al.: ](m - 1) / M, m / M]; so a confidence of exactly 1 is in the last one."""
    third = np.full((2, 7), -1000.0, np.float32)
    third[:, :3] = 0.0
    no = np.zeros(2, np.bool_)
    bins = reliability(Predictions(third, np.array([0, 1], np.uint8), np.arange(2), no, no))
    assert BINS == 15
    assert np.flatnonzero(bins.faces).tolist() == [4]  # ]4/15, 5/15]
    assert bins.accuracy[4] == 0.5
    sure = predictions(skill=1000.0)
    assert reliability(sure).faces.tolist() == [0] * (BINS - 1) + [200]


def test_error_is_that_of_a_loop_over_faces() -> None:
    of = predictions(500, 3, skill=2.0)
    confidence, right = of.probabilities.max(axis=1), of.predicted == of.labels
    expected = 0.0
    for place in range(BINS):
        inside = (confidence > place / BINS) & (confidence <= (place + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(reliability(of)) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_comes_back(temperature: float) -> None:
    assert fit_temperature(drawn(20_000, 0, temperature=temperature)) == pytest.approx(temperature, rel=0.03)


def test_the_fitted_temperature_is_the_best_of_a_grid() -> None:
    of = predictions(300, 4, skill=2.0)
    grid = np.geomspace(0.05, 20, 400)
    best = grid[np.argmin([log_loss(scaled(of, float(temperature))) for temperature in grid])]
    assert fit_temperature(of) == pytest.approx(best, rel=0.02)


def test_the_temperature_is_public_tests_and_changes_no_answer() -> None:
    splits = {
        Split.public_test: drawn(5000, 1, temperature=3.0),
        Split.private_test: drawn(5000, 2, temperature=1.0),
    }
    measured = measure_calibration(splits)
    assert measured["temperature"] == pytest.approx(3.0, rel=0.1)
    assert measured["before"]["ece"] < 0.03 < measured["after"]["ece"]
    private = splits[Split.private_test]
    np.testing.assert_array_equal(scaled(private, 3.0).predicted, private.predicted)


def test_scaling_mends_what_is_too_sure() -> None:
    splits = {split: drawn(5000, seed, temperature=3.0) for seed, split in enumerate(both())}
    measured = measure_calibration(splits)
    assert measured["before"]["ece"] > 0.15
    assert measured["after"]["ece"] < 0.02
    assert measured["after"]["log_loss"] < measured["before"]["log_loss"]


def test_pooled_bins_are_those_of_all_faces() -> None:
    runs = [both(skill=1.0), both(skill=3.0)]
    pooled = pooled_reliability(runs)["as trained"]
    parts = [run[Split.private_test] for run in runs]
    logits, labels = np.concatenate([part.logits for part in parts]), np.concatenate([part.labels for part in parts])
    no = np.zeros(len(labels), np.bool_)
    expected = reliability(Predictions(logits, labels, np.arange(len(labels)), no, no))
    np.testing.assert_array_equal(pooled.faces, expected.faces)
    np.testing.assert_allclose(pooled.accuracy, expected.accuracy)
    np.testing.assert_allclose(pooled.confidence, expected.confidence)


def test_seeds_that_err_in_opposite_ways_do_not_cancel() -> None:
    """As bins of all their faces would: one seed is too sure, the other not sure enough."""
    errors = [{"before": {"ece": high}, "after": {"ece": low}} for high, low in ((0.3, 0.1), (0.1, 0.0))]
    assert mean_errors(errors) == {AS_TRAINED: pytest.approx(0.2), SCALED: pytest.approx(0.05)}
