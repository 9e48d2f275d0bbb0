"""How sure a number is: bootstrap intervals over faces, McNemar's test, the spread over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TAILS = [0.025, 0.975]  # of a 95 % interval


class Interval(NamedTuple):
    low: float
    high: float


class McNemar(NamedTuple):
    """Faces that only the first system names right, faces that only the second does, and the two-sided p."""

    b: int
    c: int
    p: float


class Spread(NamedTuple):
    """Over seeds: the mean and the sample standard deviation (ddof 1), which one seed does not have."""

    mean: float
    std: float | None


def mean_interval(values: NDArray[np.bool_] | NDArray[np.int64], *, resamples: int, seed: int) -> Interval:
    """Return the mean's 95 % percentile bootstrap interval over faces (Efron and Tibshirani 1993, chapter 13).

    N faces drawn with replacement hold each distinct value a multinomial number of times, so the resampled means
    are drawn directly and exactly: of right and wrong, the count of right ones is binomial.

    Args:
        values: one integer a face, (N,), with few distinct values (right or wrong; right answers over some seeds).
        resamples: how many resampled means.
        seed: of the resampling.

    Raises:
        ValueError: there are no faces.
    """
    if len(values) == 0:
        raise ValueError("an interval needs at least one face")
    distinct, counts = np.unique(values.astype(np.int64), return_counts=True)  # (V,), (V,)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(values), counts / len(values), size=resamples)  # (resamples, V)
    low, high = np.quantile(drawn @ distinct / len(values), TAILS)
    return Interval(float(low), float(high))


def accuracy_interval(correct: NDArray[np.bool_], *, resamples: int, seed: int) -> Interval:
    """Return the 95 % interval, over faces, of the accuracy's mean over the given seeds.

    Args:
        correct: (seeds, N). The seeds are taken as they are: the interval says what other faces would change.
    """
    return scaled(mean_interval(correct.sum(axis=0), resamples=resamples, seed=seed), len(correct))


def difference_interval(first: NDArray[np.bool_], second: NDArray[np.bool_], *, resamples: int, seed: int) -> Interval:
    """Return the 95 % interval, over faces, of accuracy(first) - accuracy(second), its mean over the given seeds.

    Args:
        first, second: correctness of the same faces, (seeds, N); a resampled face brings both its answers along.
    """
    difference = first.sum(axis=0) - second.sum(axis=0)  # (N,), from -seeds to seeds
    return scaled(mean_interval(difference, resamples=resamples, seed=seed), len(first))


def scaled(interval: Interval, divisor: int) -> Interval:
    return Interval(interval.low / divisor, interval.high / divisor)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """Test exactly that two systems are right equally often (McNemar 1947): a sign test on the discordant faces.

    Args:
        first, second: correctness of the same faces, (N,).
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - a second, where most who import this module test nothing

    b, c = int((first & ~second).sum()), int((~first & second).sum())
    p = float(binomtest(b, b + c, 0.5).pvalue) if b + c else 1.0
    return McNemar(b, c, p)


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation of one number a seed. Raise ValueError where there is none."""
    if not values:
        raise ValueError("a spread needs at least one seed")
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def over_seeds(runs: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, float | None]:
    """Return the mean of each of the names over the seeds' numbers, and its deviation as `{name}_std`."""
    spreads = {name: spread([run[name] for run in runs]) for name in names}
    return {name: of.mean for name, of in spreads.items()} | {f"{name}_std": of.std for name, of in spreads.items()}


def accuracy_over_seeds(correct: NDArray[np.bool_], *, resamples: int, seed: int) -> dict[str, float | None]:
    """Return the mean accuracy over seeds, its deviation, and its interval over faces; `correct` (seeds, N)."""
    interval = accuracy_interval(correct, resamples=resamples, seed=seed)
    mean, std = spread([float(of_seed.mean()) for of_seed in correct])
    return {"accuracy": mean, "accuracy_std": std, "accuracy_low": interval.low, "accuracy_high": interval.high}
