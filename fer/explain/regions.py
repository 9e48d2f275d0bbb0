"""Region analysis: how much of a map lies in the upper half of the face, against what report 000 says.

Report 000, figure 7: anger is read from the upper part of the face, happiness from the lower one.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer.constants import Emotion

CLAIMS = {Emotion.anger: "upper", Emotion.happy: "lower"}
TAILS = [0.025, 0.975]  # of a 95 % interval


class Share(NamedTuple):
    """A mean over faces with its 95 % interval: percentile bootstrap (Efron and Tibshirani 1993, chapter 13)."""

    mean: float
    low: float
    high: float
    faces: int


def upper_shares(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the part of each map's positive mass in the upper half of its rows, (N,); NaN for a map without any."""
    mass = np.clip(maps.astype(np.float64), 0, None).sum(axis=2)  # (N, 48)
    total = mass.sum(axis=1)  # (N,)
    upper = mass[:, : mass.shape[1] // 2].sum(axis=1)
    return np.asarray(np.divide(upper, total, out=np.full(len(maps), np.nan), where=total > 0))


def by_emotion(
    maps: NDArray[np.float32], labels: NDArray[np.uint8], *, resamples: int, seed: int
) -> dict[str, dict[str, Any] | None]:
    """Return the mean upper share of each emotion's maps, by name, and how much higher anger's is than happiness's.

    None stands for what has no faces.
    """
    shares = upper_shares(maps)
    found = {emotion.name: share(shares[labels == emotion], resamples=resamples, seed=seed) for emotion in Emotion}
    return {
        **{name: value._asdict() if value else None for name, value in found.items()},
        "anger_minus_happy": difference(shares, labels, resamples=resamples, seed=seed),
    }


def share(values: NDArray[np.float64], *, resamples: int, seed: int) -> Share | None:
    """Return mean and interval of the values that are not NaN; None without any."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return None
    low, high = np.quantile(resampled_means(known, resamples, np.random.default_rng(seed)), TAILS)
    return Share(float(known.mean()), float(low), float(high), len(known))


def difference(
    shares: NDArray[np.float64], labels: NDArray[np.uint8], *, resamples: int, seed: int
) -> dict[str, float] | None:
    """Return anger's mean share less happiness's, with a 95 % bootstrap interval; None where one has no faces."""
    anger, happy = (shares[(labels == emotion) & np.isfinite(shares)] for emotion in CLAIMS)
    if not (len(anger) and len(happy)):
        return None
    generator = np.random.default_rng(seed)
    resampled = resampled_means(anger, resamples, generator) - resampled_means(happy, resamples, generator)
    low, high = np.quantile(resampled, TAILS)
    return {"mean": float(anger.mean() - happy.mean()), "low": float(low), "high": float(high)}


def resampled_means(values: NDArray[np.float64], resamples: int, generator: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(values[generator.integers(0, len(values), (resamples, len(values)))].mean(axis=1))
