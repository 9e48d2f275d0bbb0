"""The printed numbers: complete, in range, consistent with themselves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fer.config.params import load_params
from fer.constants import EMOTION_NAMES
from fer.report.printed import REPORTED, Reported, is_fer2013
from tests.report.folder import audit

ROOT = Path(__file__).parents[2]


def test_every_reported_system_is_in_params() -> None:
    assert set(REPORTED) <= set(load_params(ROOT / "params.yaml").systems)


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, True),
        ({"rows": 35886}, False),
        ({"kept": {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}}, True),
        ({"kept": {"Training": 960, "PublicTest": 120, "PrivateTest": 120}, "rows": 1210}, False),
        ({"kept": {"Training": 3588, "PublicTest": 3588, "PrivateTest": 28698}}, False),
    ],
)
def test_fer2013_is_known_by_its_counts(changes: dict[str, Any], answer: bool) -> None:
    assert is_fer2013(audit(**changes)) is answer


@pytest.mark.parametrize("name", [name for name, row in REPORTED.items() if row.accuracy is not None])
def test_a_printed_accuracy_is_a_share_on_a_split_that_exists(name: str) -> None:
    row = REPORTED[name]
    assert row.accuracy is not None
    assert 1 / 7 < row.accuracy < 1
    assert row.split in {"PublicTest", "PrivateTest"}


@pytest.mark.parametrize("name", [name for name, row in REPORTED.items() if row.class_accuracy or row.class_scores])
def test_figures_per_class_name_every_emotion(name: str) -> None:
    printed = REPORTED[name].class_accuracy or REPORTED[name].class_scores
    assert printed is not None
    assert set(printed) == set(EMOTION_NAMES)
    shares = [share for row in printed.values() for share in (row.values() if isinstance(row, Mapping) else [row])]
    assert all(0 < share < 1 for share in shares)


def test_printed_f1_is_that_of_printed_precision_and_recall() -> None:
    scores = REPORTED["tuwani_augmented"].class_scores
    assert scores is not None
    for name, row in scores.items():
        expected = 2 * row["precision"] * row["recall"] / (row["precision"] + row["recall"])
        assert row["f1"] == pytest.approx(expected, abs=0.01), name


def test_printed_recalls_add_up_to_the_printed_accuracy() -> None:
    """Report 002's recalls, weighted by PrivateTest's faces: they belong to the augmented network and to this split."""
    row = REPORTED["tuwani_augmented"]
    faces = dict(zip(EMOTION_NAMES, (491, 55, 528, 879, 594, 416, 626), strict=True))  # of the competition's file
    assert row.class_scores is not None
    right = sum(row.class_scores[name]["recall"] * count for name, count in faces.items())
    assert right / sum(faces.values()) == pytest.approx(row.accuracy, abs=0.005)


def test_figures_per_class_need_a_split() -> None:
    with pytest.raises(ValueError, match="go together"):
        Reported("009", "report 9", class_accuracy=dict.fromkeys(EMOTION_NAMES, 0.5))
