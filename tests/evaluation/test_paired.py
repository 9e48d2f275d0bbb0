"""Two systems on the same faces: over the seeds that both have, and only where the faces are the same."""

from dataclasses import replace

import numpy as np
import pytest

from fer.constants import Split
from fer.evaluation.metrics import TEST_SETS, correctness
from fer.evaluation.paired import Seeds, compare, runs_by_test_set
from tests.evaluation.test_metrics import both, predictions

BOOTSTRAP = {"resamples": 500, "seed": 0}


def seeds(*skills: float) -> Seeds:
    """A run a skill, all on the same faces."""
    return {seed: both(skill=skill) for seed, skill in enumerate(skills)}


def test_the_first_system_is_compared_with_the_second() -> None:
    content = compare(("strong", "weak"), (seeds(3.0, 3.5), seeds(0.5)), BOOTSTRAP)
    assert (content["first"], content["second"], content["seeds"]) == ("strong", "weak", 1)
    assert set(content) == {"first", "second", "seeds", *TEST_SETS}
    entry = content["PrivateTest"]
    strong, weak = (run[Split.private_test] for run in (both(skill=3.0), both(skill=0.5)))
    right, other = strong.predicted == strong.labels, weak.predicted == weak.labels
    assert entry["difference"] == pytest.approx(right.mean() - other.mean())
    assert 0 < entry["difference_low"] < entry["difference"] < entry["difference_high"]
    assert list(entry["mcnemar"]) == ["0"]
    assert (entry["mcnemar"]["0"]["b"], entry["mcnemar"]["0"]["c"]) == ((right & ~other).sum(), (other & ~right).sum())


def test_a_system_against_itself() -> None:
    entry = compare(("a", "a"), (seeds(1.0, 2.0), seeds(1.0, 2.0)), BOOTSTRAP)["PublicTest"]
    assert (entry["difference"], entry["difference_low"], entry["difference_high"]) == (0, 0, 0)
    assert entry["mcnemar"]["1"]["p"] == 1.0


def test_nothing_in_common() -> None:
    assert compare(("a", "b"), ({}, seeds(1.0)), BOOTSTRAP) == {"first": "a", "second": "b", "seeds": 0}


@pytest.mark.parametrize("field", ["rows", "labels"])
def test_different_faces_cannot_be_paired(field: str) -> None:
    of = predictions()
    other = replace(of, **{field: np.roll(getattr(of, field), 1)})
    first, second = ({0: dict.fromkeys(both(), each)} for each in (of, other))
    with pytest.raises(ValueError, match="a and b were predicted on different faces of PublicTest"):
        compare(("a", "b"), (first, second), BOOTSTRAP)


def test_runs_stand_in_the_order_of_their_seeds() -> None:
    runs = runs_by_test_set({2: both(skill=9.0), 0: both(skill=0.0)})
    right = correctness(runs["PrivateTest"])
    assert right.shape == (2, 200)
    assert right[0].mean() < 0.5 < right[1].mean()
    assert runs_by_test_set({}) == {}
