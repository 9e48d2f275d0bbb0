"""Pictures of the data: the same bytes twice, near-duplicates only where there are some, counts for dvc plots."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer.constants import Split
from fer.data import pictures
from fer.data.near_duplicates import NearDuplicate, write_near_duplicates
from fer.store import Faces, create_store

LABELS = {split: np.random.default_rng(1).integers(0, 7, 90).astype(np.uint8) for split in Split}
IMAGES = np.random.default_rng(2).integers(0, 256, (90, 48, 48)).astype(np.uint8)
FIGURES: dict[str, Callable[[Path], None]] = {
    "class_distribution": lambda path: pictures.class_distribution(LABELS, path),
    "sample_faces": lambda path: pictures.sample_faces(IMAGES, LABELS[Split.training], path),
    "near_duplicates": lambda path: pictures.near_duplicates([*IMAGES[:7]], [*IMAGES[7:14]], [0.96] * 7, path),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_picture_with_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        FIGURES[name](path)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_class_counts_have_a_row_for_each_split_and_emotion(tmp_path: Path) -> None:
    pictures.write_class_counts(tmp_path / "classes.csv", LABELS)
    with (tmp_path / "classes.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 21
    assert sum(int(cell["faces"]) for cell in cells) == 270


@pytest.mark.parametrize("pairs", [[], [NearDuplicate(90, "PublicTest", 3, 1.0, False)],
                                   [NearDuplicate(91, "PublicTest", 3, 0.96, False)]])  # fmt: skip
def test_of_a_store(tmp_path: Path, pairs: list[NearDuplicate]) -> None:
    """Exact copies are not shown beside each other; the folder is there in any case."""
    no = np.zeros(90, np.bool_)
    with create_store(tmp_path / "clean.h5", source_sha256="") as writer:
        for first, (split, labels) in zip((0, 90, 180), LABELS.items(), strict=True):
            writer.append(split, Faces(IMAGES, labels, first + np.arange(90), no, no))
    write_near_duplicates(tmp_path / "near.csv", pairs)
    folders = {name: tmp_path / name for name in ("pictures", "plots")}
    pictures.draw_data(tmp_path / "clean.h5", tmp_path / "near.csv", **folders)
    assert sorted(path.name for path in folders["plots"].iterdir()) == ["classes.csv", "classes.png"]
    near = ["near_duplicates.png"] if pairs and pairs[0].correlation < 1 else []
    assert sorted(path.name for path in folders["pictures"].iterdir()) == [*near, "samples.png"]
