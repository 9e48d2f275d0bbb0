"""The store gives back what was written, whole or not at all, in the same bytes every time."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer.constants import IMAGE_SIZE, Split
from fer.store import (
    CHUNK,
    FIELDS,
    Faces,
    StoreError,
    create_store,
    open_store,
    read_blocks,
    read_split,
    read_statistics,
)


def faces(count: int, seed: int = 0) -> Faces:
    rng = np.random.default_rng(seed)
    return Faces(
        images=rng.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8),
        labels=rng.integers(0, 7, count, dtype=np.uint8),
        rows=rng.integers(0, 1 << 40, count),
        in_training=rng.random(count) < 0.5,
        in_public_test=rng.random(count) < 0.5,
    )


def joined(blocks: list[Faces]) -> Faces:
    return Faces(**{name: np.concatenate([getattr(block, name) for block in blocks]) for name in FIELDS})


def assert_same(left: Faces, right: Faces) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
        assert getattr(left, name).dtype == getattr(right, name).dtype


class TestWriting:
    @settings(max_examples=15)
    @given(sizes=st.lists(st.sampled_from([0, 1, 100, CHUNK, CHUNK + 1]), min_size=1, max_size=4))
    def test_blocks_are_appended(self, tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
        path = tmp_path_factory.getbasetemp() / "appended.h5"
        blocks = [faces(size, seed) for seed, size in enumerate(sizes)]
        with create_store(path, source_sha256="abc") as writer:
            for block in blocks:
                writer.append(Split.public_test, block)
        with open_store(path) as store:
            assert_same(read_split(store, Split.public_test), joined(blocks))
            assert len(read_split(store, Split.training)) == 0
            assert store.attrs["source_sha256"] == "abc"

    def test_marks_replace_the_flags_of_one_split(self, tmp_path: Path) -> None:
        written, marks = faces(300), faces(300, seed=1)
        with create_store(tmp_path / "clean.h5", source_sha256="") as writer:
            for split in Split:
                writer.append(split, written)
            flags = {"in_training": marks.in_training, "in_public_test": marks.in_public_test}
            writer.mark(Split.private_test, **flags)
        with open_store(tmp_path / "clean.h5") as store:
            assert_same(read_split(store, Split.public_test), written)
            expected = Faces(written.images, written.labels, written.rows, **flags)
            assert_same(read_split(store, Split.private_test), expected)

    def test_an_error_leaves_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "clean.h5"
        path.write_bytes(b"before")

        def write_and_fail() -> None:
            with create_store(path, source_sha256="") as writer:
                writer.append(Split.training, faces(3))
                raise RuntimeError("stopped")

        with pytest.raises(RuntimeError, match="stopped"):
            write_and_fail()
        assert path.read_bytes() == b"before"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_same_faces_give_the_same_bytes(self, tmp_path: Path) -> None:
        for name in ("a.h5", "b.h5"):
            with create_store(tmp_path / name, source_sha256="abc") as writer:
                writer.append(Split.training, faces(CHUNK + 1))
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


class TestReading:
    @pytest.mark.parametrize("block", [1, 7, 20, 21])
    def test_blocks_make_up_the_split(self, tmp_path: Path, block: int) -> None:
        with create_store(tmp_path / "clean.h5", source_sha256="") as writer:
            writer.append(Split.training, faces(20))
        with open_store(tmp_path / "clean.h5") as store:
            blocks = list(read_blocks(store, Split.training, block))
            assert max(map(len, blocks)) == min(block, 20)
            assert_same(joined(blocks), faces(20))
            assert list(read_blocks(store, Split.public_test, block)) == []

    def test_a_store_cannot_be_written_to(self, tmp_path: Path) -> None:
        with create_store(tmp_path / "clean.h5", source_sha256="") as writer:
            writer.append(Split.training, faces(2))
        with open_store(tmp_path / "clean.h5") as store, pytest.raises(OSError, match="write"):
            store["Training/labels"][0] = 1

    @pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
    def test_another_file_is_an_error_that_names_it(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "clean.h5"
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"clean\.h5: no HDF5 file"), open_store(path):
            pass

    def test_no_file_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"none\.h5"), open_store(tmp_path / "none.h5"):
            pass

    def test_another_hdf5_file_is_an_error_that_names_what_is_missing(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file.create_group(Split.training)
        with pytest.raises(StoreError, match="PublicTest, PrivateTest"), open_store(tmp_path / "other.h5"):
            pass


class TestStatistics:
    def test_come_back_as_they_were_written(self, tmp_path: Path) -> None:
        mean, std = np.random.default_rng(0).random((2, IMAGE_SIZE, IMAGE_SIZE)).astype(np.float32)
        with create_store(tmp_path / "normalised.h5", source_sha256="") as writer:
            writer.write_statistics("global", (mean, std))
        with open_store(tmp_path / "normalised.h5") as store:
            for read, written in zip(read_statistics(store, "global"), (mean, std), strict=True):
                np.testing.assert_array_equal(read, written)
                assert read.dtype == np.float32
            with pytest.raises(StoreError, match=r"normalised\.h5: no statistics/pixel"):
                read_statistics(store, "pixel")

    def test_of_each_image_for_itself_are_none(self, tmp_path: Path) -> None:
        with create_store(tmp_path / "clean.h5", source_sha256=""):
            pass
        with open_store(tmp_path / "clean.h5") as store:
            mean, std = read_statistics(store, "image")
        assert (mean == 0).all()
        assert (std == 1).all()
        assert mean.shape == std.shape == (IMAGE_SIZE, IMAGE_SIZE)
