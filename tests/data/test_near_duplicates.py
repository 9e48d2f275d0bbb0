"""Near-duplicates: planted ones are found, mirrored too, and all that a plain comparison of every pair finds."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer.constants import IMAGE_SIZE, Split
from fer.data import near_duplicates
from fer.data.near_duplicates import (
    NearDuplicate,
    count_near_duplicates,
    find_near_duplicates,
    read_near_duplicates,
    write_near_duplicates,
)
from fer.store import Faces, create_store

Images = NDArray[np.uint8]
GENERATOR = np.random.default_rng(0)


def smooth(count: int, generator: np.random.Generator) -> Images:
    """Blurred noise: like faces, and unlike white noise, it keeps its look in 12x12 block means."""
    coarse = generator.normal(size=(count, 8, 8))
    fine = coarse.repeat(6, axis=1).repeat(6, axis=2) + generator.normal(
        scale=0.2, size=(count, IMAGE_SIZE, IMAGE_SIZE)
    )
    return np.asarray((128 + 40 * fine).clip(0, 255), np.uint8)


def write(path: Path, training: Images, public: Images, private: Images) -> Path:
    """The rows of a split begin at 0, 1000 and 2000."""
    with create_store(path, source_sha256="") as writer:
        for first, split, images in zip((0, 1000, 2000), Split, (training, public, private), strict=True):
            no = np.zeros(len(images), np.bool_)
            labels = np.zeros(len(images), np.uint8)
            writer.append(split, Faces(images, labels, first + np.arange(len(images)), no, no))
    return path


def brute_force(training: Images, test: Images, first: int, threshold: float) -> dict[int, float]:
    """Row and largest correlation of each face of a split that has one above the threshold."""
    best = {}
    for place, face in enumerate(test):
        found = max(
            float(np.corrcoef(face.ravel(), other[:, ::step].ravel())[0, 1]) for other in training for step in (1, -1)
        )
        if found > threshold:
            best[first + place] = found
    return best


def test_planted_faces_are_found(tmp_path: Path) -> None:
    training, public, private = (smooth(count, GENERATOR) for count in (30, 5, 5))
    private[1] = training[7]
    private[2] = training[8, :, ::-1]
    private[3] = (training[9] * 0.6 + 30 + GENERATOR.normal(scale=3, size=(IMAGE_SIZE, IMAGE_SIZE))).astype(np.uint8)
    public[4] = np.roll(training[10, :, ::-1], 0, axis=0) // 2
    pairs = find_near_duplicates(write(tmp_path / "clean.h5", training, public, private), correlation=0.95)
    assert [(pair.row, pair.split, pair.training_row, pair.mirrored) for pair in pairs] == [
        (1004, "PublicTest", 10, True),
        (2001, "PrivateTest", 7, False),
        (2002, "PrivateTest", 8, True),
        (2003, "PrivateTest", 9, False),
    ]
    assert pairs[1].correlation == pairs[2].correlation == 1.0
    assert 0.95 < pairs[3].correlation < 1.0
    assert count_near_duplicates(pairs) == {
        "PublicTest": {"faces": 1, "mirrored": 1},
        "PrivateTest": {"faces": 3, "mirrored": 1},
    }


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_all_that_brute_force_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threshold: float) -> None:
    """Faces at every distance from a Training face, so that some lie just above and just below the threshold."""
    monkeypatch.setattr(near_duplicates, "BLOCK", 7)
    generator = np.random.default_rng(int(100 * threshold))
    training = smooth(20, generator)
    strength = np.linspace(0.0, 1.5, 24)[:, None, None]
    source = training[generator.integers(20, size=24), :, :: int(generator.choice([-1, 1]))]
    noisy = ((1 - strength / 2) * source + strength * (smooth(24, generator) - 64.0)).clip(0, 255).astype(np.uint8)
    pairs = find_near_duplicates(write(tmp_path / "clean.h5", training, noisy[:12], noisy[12:]), correlation=threshold)
    expected = brute_force(training, noisy[:12], 1000, threshold) | brute_force(training, noisy[12:], 2000, threshold)
    assert 0 < len(expected) < 24
    assert {pair.row: pair.correlation for pair in pairs} == pytest.approx(expected, abs=1e-6)


def test_of_equal_copies_the_first_that_is_not_mirrored_counts(tmp_path: Path) -> None:
    face = smooth(1, GENERATOR)[0]
    training = np.stack([face[:, ::-1], face, face])
    path = write(tmp_path / "clean.h5", training, face[None], smooth(1, GENERATOR))
    assert find_near_duplicates(path, correlation=0.95) == [NearDuplicate(1000, "PublicTest", 1, 1.0, False)]


def test_constant_faces_and_empty_splits_are_like_nothing(tmp_path: Path) -> None:
    grey = np.full((2, IMAGE_SIZE, IMAGE_SIZE), 90, np.uint8)
    path = write(tmp_path / "clean.h5", np.concatenate([grey, smooth(2, GENERATOR)]), grey, grey[:0])
    assert find_near_duplicates(path, correlation=0.95) == []


def test_a_file_holds_what_was_found(tmp_path: Path) -> None:
    pairs = [NearDuplicate(1000, "PublicTest", 1, 0.951234, True), NearDuplicate(2000, "PrivateTest", 5, 1.0, False)]
    write_near_duplicates(tmp_path / "pairs.csv", pairs)
    assert read_near_duplicates(tmp_path / "pairs.csv") == pairs
    assert (tmp_path / "pairs.csv").read_text().splitlines()[1] == "1000,PublicTest,1,0.951234,true"
