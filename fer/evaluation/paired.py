"""Two systems on the same faces: the difference of their accuracies, paired face by face and seed by seed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer.evaluation.intervals import difference_interval, mcnemar
from fer.evaluation.metrics import TEST_SETS, by_test_set, correctness
from fer.predictions.format import Predictions, PredictionsError, Splits

Seeds = Mapping[int, Splits]


def compare(names: tuple[str, str], systems: tuple[Seeds, Seeds], bootstrap: Mapping[str, int]) -> dict[str, Any]:
    """Return, over the seeds that both have, the mean difference with its interval and each seed's McNemar b, c and p.

    Args:
        names: of the two, as they shall stand in the result.
        systems: per seed, both test splits. Without a common seed the result says `seeds: 0` and nothing else.
        bootstrap: `resamples` and `seed` of the 95 % interval over faces.

    Raises:
        PredictionsError: they were predicted on different faces.
    """
    shared = sorted(set(systems[0]) & set(systems[1]))
    result: dict[str, Any] = {"first": names[0], "second": names[1], "seeds": len(shared)}
    if not shared:
        return result
    first, second = (runs_by_test_set({seed: system[seed] for seed in shared}) for system in systems)
    for test_set in TEST_SETS:
        same_faces(names, test_set, first[test_set], second[test_set])
        right, other = correctness(first[test_set]), correctness(second[test_set])
        interval = difference_interval(right, other, **bootstrap)
        result[test_set] = {
            "difference": float(right.mean() - other.mean()),
            "difference_low": interval.low,
            "difference_high": interval.high,
            "mcnemar": {
                str(seed): mcnemar(*answers)._asdict() for seed, *answers in zip(shared, right, other, strict=True)
            },
        }
    return result


def runs_by_test_set(seeds: Seeds) -> dict[str, list[Predictions]]:
    """Return, per test set, a run a seed, in the order of the seeds."""
    runs = [by_test_set(seeds[seed]) for seed in sorted(seeds)]
    return {name: [run[name] for run in runs] for name in TEST_SETS} if runs else {}


def same_faces(
    names: tuple[str, str], test_set: str, first: Sequence[Predictions], second: Sequence[Predictions]
) -> None:
    """Raise PredictionsError unless every run saw the same rows with the same labels: paired tests need pairs."""
    for run in (*first, *second):
        if not (np.array_equal(run.rows, first[0].rows) and np.array_equal(run.labels, first[0].labels)):
            raise PredictionsError(f"{names[0]} and {names[1]} were predicted on different faces of {test_set}")
