"""Where in the face a map lies: the upper or the lower half, held against what report 000 says.

Report 000, figure 7: anger is read from the upper part of the face, happiness from the lower one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer.emotions import Emotion
from fer.evaluation.intervals import Interval

CLAIMS = {Emotion.anger: "upper", Emotion.happy: "lower"}


class Share(NamedTuple):
    """A mean over faces with its 95 % bootstrap interval over them."""

    mean: float
    low: float
    high: float
    faces: int


def upper_shares(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The part of each map's positive mass in the upper half of its rows, (N,); NaN for a map without any."""
    mass = np.clip(maps.astype(np.float64), 0, None).sum(axis=2)  # (N, 48)
    total = mass.sum(axis=1)  # (N,)
    upper = mass[:, : mass.shape[1] // 2].sum(axis=1)
    return np.asarray(np.divide(upper, total, out=np.full(len(maps), np.nan), where=total > 0))


def share(values: NDArray[np.float64], *, resamples: int, seed: int) -> Share | None:
    """Mean and interval of the values that are not NaN; None without any."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return None
    return Share(float(known.mean()), *bootstrap(known, resamples=resamples, seed=seed), len(known))


def bootstrap(values: NDArray[np.float64], *, resamples: int, seed: int, level: float = 0.95) -> Interval:
    """Percentile bootstrap interval of the mean (Efron and Tibshirani 1993, chapter 13); values (N,)."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def by_emotion(
    maps: NDArray[np.float32], labels: NDArray[np.uint8], *, resamples: int, seed: int
) -> dict[str, dict[str, Any] | None]:
    """Per emotion, by name, the mean share of its maps' mass in the upper half of the face; None without faces."""
    shares = upper_shares(maps)
    found = {emotion.name: share(shares[labels == emotion], resamples=resamples, seed=seed) for emotion in Emotion}
    return {name: value._asdict() if value else None for name, value in found.items()}


def sentence(emotion: Emotion, found: Mapping[str, Any] | None) -> str:
    """Report 000's claim about the emotion beside what was measured, in words."""
    half = CLAIMS[emotion]
    if found is None:
        return f"{emotion.name}: no face to measure on"
    if half == "lower":
        mean, low, high = 1 - found["mean"], 1 - found["high"], 1 - found["low"]
    else:
        mean, low, high = found["mean"], found["low"], found["high"]
    word = "as report 000 says" if low > 0.5 else "against report 000" if high < 0.5 else "not shown either way"
    return (
        f"{emotion.name}: {100 * mean:.1f} % of the map lies in the {half} half of the face, "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} over {found['faces']} faces: {word}"
    )
