"""Figures: the same bytes twice, nothing left on a failure; the tables behind `dvc plots` hold what was measured."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer.evaluation import figures, plots_data
from fer.evaluation.calibration import pooled_reliability
from fer.evaluation.plots_data import EpochScore
from fer.plotting import drawing
from tests.evaluation.test_metrics import both

COUNTS = np.random.default_rng(0).integers(1, 50, (7, 7))
HISTORY = [
    EpochScore(seed, epoch, split, 2.0 / epoch, 0.1 * epoch)
    for seed in (0, 1)
    for epoch in (1, 2, 3)
    for split in ("train", "validation")
]
FIGURES: dict[str, Callable[[Path], None]] = {
    "curves": lambda path: figures.curves(HISTORY, path),
    "confusion": lambda path: figures.confusion(COUNTS, path),
    "class_accuracy": lambda path: figures.class_accuracy(COUNTS, path),
    "reliability": lambda path: figures.reliability(
        bins := pooled_reliability([both()]), dict.fromkeys(bins, 0.1), path
    ),
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


def test_every_public_figure_is_in_the_test() -> None:
    drawn = {
        name for name, function in vars(figures).items() if getattr(function, "__module__", "") == figures.__name__
    }
    assert drawn - {"draw_curves"} == set(FIGURES)


def test_a_figure_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no"), drawing(tmp_path / "a.png", size=(1, 1)):
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
