"""Figures: the same bytes twice, nothing left on a failure; the tables behind `dvc plots` hold what was measured."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer.emotions import Split
from fer.evaluation import figures, plots_data
from fer.evaluation.calibration import pooled_reliability
from fer.evaluation.crowd import LEVELS
from fer.evaluation.metrics import TEST_SETS
from fer.evaluation.plots_data import EpochScore
from tests.evaluation.test_metrics import both

COUNTS = np.random.default_rng(0).integers(1, 50, (7, 7))
LABELS = {split: np.random.default_rng(1).integers(0, 7, 90).astype(np.uint8) for split in Split}
IMAGES = np.random.default_rng(2).integers(0, 256, (90, 48, 48)).astype(np.uint8)
HISTORY = [
    EpochScore(seed, epoch, split, 2.0 / epoch, 0.1 * epoch)
    for seed in (0, 1)
    for epoch in (1, 2, 3)
    for split in ("train", "validation")
]
SCORES = {"accuracy": 0.6, "accuracy_low": 0.55, "accuracy_high": 0.65}
SETS: dict[str, Any] = {
    **dict.fromkeys(TEST_SETS, SCORES),
    "leaks": {
        "exact_copies": {"faces": 8} | SCORES,
        "near_duplicates": {"faces": 0} | dict.fromkeys(SCORES),
        "clean": {"faces": 82} | SCORES,
    },
    "crowd": {"by_votes": {level: {"faces": 9, "accuracy_label": 0.6} for level in LEVELS}},
}
SUMMARY: dict[str, Any] = {
    "systems": {
        "a": {"seeds": 1, "reported": {"accuracy": 0.58, "split": "PublicTest"}, **SETS},
        "b": {"seeds": 2, "reported": None, **SETS},
        "absent": {"seeds": 0, "reported": None},
    },
    "label_noise": {"PrivateTest": {"by_votes": {level: {"faces": 9, "agreement": 0.7} for level in LEVELS}}},
}
FIGURES: dict[str, Callable[[Path], None]] = {
    "curves": lambda path: figures.curves(HISTORY, path),
    "confusion": lambda path: figures.confusion(COUNTS, path),
    "class_accuracy": lambda path: figures.class_accuracy(COUNTS, path),
    "class_distribution": lambda path: figures.class_distribution(LABELS, path),
    "sample_faces": lambda path: figures.sample_faces(IMAGES, LABELS[Split.training], path),
    "near_duplicates": lambda path: figures.near_duplicates([*IMAGES[:7]], [*IMAGES[7:14]], [0.96] * 7, path),
    "reliability": lambda path: figures.reliability(pooled_reliability([both()]), path),
    "leaks": lambda path: figures.leaks(SUMMARY, path),
    "agreement": lambda path: figures.agreement(SUMMARY, path),
    "system_accuracy": lambda path: figures.system_accuracy(SUMMARY, path),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_picture_with_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        FIGURES[name](path)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
        assert "Software" not in picture.info


def test_only_measured_systems_take_room(tmp_path: Path) -> None:
    heights = []
    for name in ("a", "absent"):
        more = {f"{name}{place}": SUMMARY["systems"][name] for place in range(18)}
        figures.system_accuracy({"systems": SUMMARY["systems"] | more}, tmp_path / "systems.png")
        with Image.open(tmp_path / "systems.png") as picture:
            heights.append(picture.height)
    figures.system_accuracy(SUMMARY, tmp_path / "systems.png")
    with Image.open(tmp_path / "systems.png") as picture:
        assert picture.height == heights[1]
    assert heights[0] > 3 * heights[1]


def test_every_public_figure_is_in_the_test() -> None:
    drawn = {
        name for name, function in vars(figures).items() if getattr(function, "__module__", "") == figures.__name__
    }
    assert drawn - {"drawing", "draw_curves", "has_number"} == set(FIGURES)


def test_a_figure_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no"), figures.drawing(tmp_path / "a.png", size=(1, 1)):
        raise RuntimeError("no")
    assert list(tmp_path.iterdir()) == []


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_curves_for_dvc(tmp_path: Path) -> None:
    plots_data.write_curve(tmp_path / "loss.csv", HISTORY, "loss")
    first = rows(tmp_path / "loss.csv")[0]
    assert first == {"seed": "0", "epoch": "1", "split": "train", "loss": "2.000000"}
    assert len(rows(tmp_path / "loss.csv")) == len(HISTORY)


def test_confusion_for_dvc_has_shares_of_rows(tmp_path: Path) -> None:
    counts = COUNTS.copy()
    counts[1] = 0
    plots_data.write_confusion(tmp_path / "confusion.csv", counts)
    cells = rows(tmp_path / "confusion.csv")
    assert len(cells) == 49
    anger = [float(cell["share"]) for cell in cells if cell["actual"] == "anger"]
    assert sum(anger) == pytest.approx(1, abs=1e-5)
    assert {cell["share"] for cell in cells if cell["actual"] == "disgust"} == {"0.000000"}


def test_class_counts_for_dvc(tmp_path: Path) -> None:
    plots_data.write_class_counts(tmp_path / "classes.csv", LABELS)
    cells = rows(tmp_path / "classes.csv")
    assert len(cells) == 21
    assert sum(int(cell["faces"]) for cell in cells) == 270
