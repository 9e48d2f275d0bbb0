"""Intervals and tests against plain resampling and tables computed by hand."""

import numpy as np
import pytest
from scipy.stats import binom

from fer.evaluation.intervals import accuracy_interval, difference_interval, mcnemar, mean_interval, spread


def plain_bootstrap(values: np.ndarray, resamples: int) -> tuple[float, float]:
    generator = np.random.default_rng(1)
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def test_the_multinomial_shortcut_is_plain_resampling() -> None:
    values = np.random.default_rng(0).integers(0, 4, 300)
    interval = mean_interval(values, resamples=20000, seed=0)
    low, high = plain_bootstrap(values, 4000)
    assert interval.low == pytest.approx(low, abs=0.02)
    assert interval.high == pytest.approx(high, abs=0.02)


def test_one_seeds_accuracy_is_binomial() -> None:
    correct = np.arange(1000)[None] < 600
    interval = accuracy_interval(correct, resamples=50000, seed=0)
    assert interval.low == pytest.approx(binom.ppf(0.025, 1000, 0.6) / 1000, abs=0.002)
    assert interval.high == pytest.approx(binom.ppf(0.975, 1000, 0.6) / 1000, abs=0.002)


def test_equal_seeds_have_the_interval_of_one() -> None:
    correct = np.random.default_rng(0).random((1, 500)) < 0.6
    one = accuracy_interval(correct, resamples=1000, seed=3)
    assert accuracy_interval(np.repeat(correct, 3, axis=0), resamples=1000, seed=3) == pytest.approx(one)


def test_paired_answers_make_a_difference_sharper_than_two_intervals() -> None:
    first = np.random.default_rng(0).random((1, 2000)) < 0.6
    second = first.copy()
    second[0, :20] = False
    interval = difference_interval(first, second, resamples=5000, seed=0)
    assert 0 < interval.low < interval.high < 0.02
    assert difference_interval(first, first, resamples=100, seed=0) == (0, 0)


def test_mcnemar_by_hand() -> None:
    """b = 1, c = 6: two-sided exact p = 2 * (1 + 7) / 2**7 = 0.125."""
    first = np.array([True] * 1 + [False] * 6 + [True] * 10)
    second = np.array([False] * 1 + [True] * 6 + [True] * 10)
    assert mcnemar(first, second) == pytest.approx((1, 6, 0.125))
    assert mcnemar(second, first) == pytest.approx((6, 1, 0.125))
    assert mcnemar(first, first) == (0, 0, 1.0)


def test_spread_over_seeds() -> None:
    assert spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert spread([0.5]) == (0.5, None)
    with pytest.raises(ValueError, match="at least one seed"):
        spread([])


def test_no_faces_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one face"):
        mean_interval(np.zeros(0, np.bool_), resamples=10, seed=0)
