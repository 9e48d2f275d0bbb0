"""Statistics against numpy's on the whole array, fitted on Training alone; leaked faces dropped on request."""

from pathlib import Path

import numpy as np
import pytest

from fer.constants import Split
from fer.data.normalise import normalise_store
from fer.errors import UserError
from fer.store import Faces, create_store, open_store, read_split, read_statistics


def write_store(path: Path, *, training: int = 60) -> dict[Split, Faces]:
    generator = np.random.default_rng(0)
    splits: dict[Split, Faces] = {}
    with create_store(path, source_sha256="0" * 64) as writer:
        for split, count in zip(Split, (training, 10, 10), strict=True):
            images = generator.integers(0, 256, (count, 48, 48)).astype(np.uint8)
            if split is not Split.training:
                images[:2] = splits[Split.training].images[:2]
            flags = np.zeros(count, np.bool_)
            labels = generator.integers(0, 7, count).astype(np.uint8)
            splits[split] = Faces(images, labels, np.arange(count), flags, flags)
            writer.append(split, splits[split])
    return splits


def test_statistics_are_numpys(tmp_path: Path) -> None:
    images = write_store(tmp_path / "clean.h5")[Split.training].images.astype(np.float64)
    normalise_store(tmp_path / "clean.h5", tmp_path / "out.h5", drop_leaked=False)
    expected = {
        "pixel": (images.mean(axis=0), (images - images.mean(axis=0)).std()),
        "global": (images.mean(), images.std()),
        "image": (0.0, 1.0),
    }
    with open_store(tmp_path / "out.h5") as file:
        assert file.attrs["source_sha256"] == "0" * 64
        for method, values in expected.items():
            for statistic, value in zip(read_statistics(file, method), values, strict=True):
                assert statistic.dtype == np.float32
                np.testing.assert_allclose(statistic, np.broadcast_to(value, (48, 48)), rtol=1e-6)


def test_faces_are_copied_as_they_are_and_twice_the_same_bytes(tmp_path: Path) -> None:
    splits = write_store(tmp_path / "clean.h5")
    for name in ("a.h5", "b.h5"):
        normalise_store(tmp_path / "clean.h5", tmp_path / name, drop_leaked=False)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with open_store(tmp_path / "a.h5") as file:
        for split, faces in splits.items():
            copied = read_split(file, split)
            for name, values in vars(faces).items():
                np.testing.assert_array_equal(getattr(copied, name), values)


def test_drop_leaked_takes_test_faces_out_of_training_alone(tmp_path: Path) -> None:
    splits = write_store(tmp_path / "clean.h5")
    normalise_store(tmp_path / "clean.h5", tmp_path / "out.h5", drop_leaked=True)
    with open_store(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(read_split(file, Split.training).rows, np.arange(2, 60))
        assert len(read_split(file, Split.private_test)) == 10
        mean, _ = read_statistics(file, "pixel")
        np.testing.assert_allclose(mean, splits[Split.training].images[2:].mean(axis=0), rtol=1e-6)


def test_no_training_faces_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with create_store(tmp_path / "clean.h5", source_sha256="0" * 64):
        pass
    with pytest.raises(UserError, match="Training holds no face"):
        normalise_store(tmp_path / "clean.h5", tmp_path / "out.h5", drop_leaked=False)
    assert [path.name for path in tmp_path.iterdir()] == ["clean.h5"]
