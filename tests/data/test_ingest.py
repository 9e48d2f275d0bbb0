"""Ingestion: what is kept, rejected and counted; files whole or not at all; what is unsound ends at once."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer.constants import EMOTION_NAMES, IMAGE_SIZE, Emotion, Split
from fer.data import ingest as ingestion
from fer.data.fer2013 import Chunk, Fer2013Error, read_chunks
from fer.data.ingest import FER2013_CLASSES, FER2013_ROWS, ingest, write_clean
from fer.data.pixels import Reason
from fer.data.synthetic import split_sizes, write_synthetic_csv
from fer.store import open_store, read_split
from tests.data import planted
from tests.data.test_fer2013 import FACE, HEADER, PIXEL_TEXT, SOUND, SPLITS, csv_line, faces, write

RAW = Path(__file__).parents[2] / "data" / "raw.csv"


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "synthetic.csv"
    write_synthetic_csv(path, seed=3, faces=100)
    return path


def audited(path: Path, folder: Path) -> dict[str, Any]:
    """What ingest says of a file."""
    places = (folder / "clean.h5", folder / "rejected.csv", folder / "near_duplicates.csv")
    return ingest(path, *places, near_duplicate_correlation=0.95, max_rejected=1.0, report=lambda _: None)


class TestWriteClean:
    def test_writes_what_was_read(self, tmp_path: Path) -> None:
        path = write(tmp_path, HEADER + b"\n".join([*SOUND[:4], b"3,1,Training", b"9,1,Training", *SOUND[4:]]))
        summary = write_clean(path, tmp_path / "clean.h5", tmp_path / "rejected.csv", max_rejected=1.0)
        with open_store(tmp_path / "clean.h5") as store:
            for index, split in enumerate(SPLITS):
                split_faces = read_split(store, split)
                np.testing.assert_array_equal(split_faces.images, faces(8, seed=1)[index::3])
                assert split_faces.labels.tolist() == [i % 7 for i in range(index, 8, 3)]
                assert split_faces.rows.tolist() == [i if i < 4 else i + 2 for i in range(index, 8, 3)]
                assert not split_faces.in_training.any()
                assert not split_faces.in_public_test.any()
            assert store.attrs["source_sha256"] == summary.content["source_sha256"]
        assert (tmp_path / "rejected.csv").read_bytes() == b"row,reason\n4,wrong_pixel_count\n5,unknown_emotion\n"
        assert summary.content["rows"] == 10
        assert list(summary.content["kept"].values()) == [3, 3, 2]
        assert summary.content["class_counts"]["PublicTest"] == {e.name: int(e in (1, 4, 0)) for e in Emotion}
        assert {reason: n for reason, n in summary.content["rejected"].items() if n} == {
            Reason.wrong_pixel_count: 1,
            Reason.unknown_emotion: 1,
        }

    def test_finds_what_was_planted_in_the_synthetic_file(self, tmp_path: Path, synthetic: Path) -> None:
        content = audited(synthetic, tmp_path)
        assert content["rejected"] == {
            "unreadable_row": 0,
            "unknown_emotion": planted.UNKNOWN_EMOTION,
            "unknown_usage": planted.UNKNOWN_USAGE,
            "invalid_pixel": planted.INVALID_PIXEL,
            "wrong_pixel_count": planted.WRONG_PIXEL_COUNT,
            "constant_image": planted.BLANK,
        }
        assert content["rows"] == sum(split_sizes(100).values()) + planted.ROWS
        assert content["rows"] == sum(content["kept"].values()) + sum(content["rejected"].values())
        audit = content["audit"]
        assert audit["redundant_images"] == planted.REDUNDANT_IMAGES
        assert audit["duplicate_groups"] == planted.DUPLICATE_GROUPS
        assert audit["conflicting_groups"] == planted.CONFLICTING_DUPLICATES
        assert audit["in_training"] == {
            "PublicTest": planted.PUBLIC_TEST_COPIES,
            "PrivateTest": planted.PRIVATE_TEST_COPIES,
        }
        assert content["near_duplicates"] == {
            "correlation": 0.95,
            "PublicTest": {"faces": planted.PUBLIC_TEST_COPIES, "mirrored": 0},
            "PrivateTest": {"faces": planted.PRIVATE_TEST_COPIES + planted.MIRRORED, "mirrored": planted.MIRRORED},
        }
        with open_store(tmp_path / "clean.h5") as store:
            assert read_split(store, Split.public_test).in_training.sum() == planted.PUBLIC_TEST_COPIES
            assert read_split(store, Split.private_test).in_training.sum() == planted.PRIVATE_TEST_COPIES
            assert not read_split(store, Split.training).in_training.any()

    def test_audits_the_file_with_its_constant_images_too(self, tmp_path: Path) -> None:
        black = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        blanks = [csv_line(black, label=1), csv_line(black, 2, Split.public_test)]
        path = write(tmp_path, HEADER + b"\n".join([SOUND[0], *blanks, SOUND[0], *SOUND[1:3]]))
        summary = write_clean(path, tmp_path / "clean.h5", tmp_path / "rejected.csv", max_rejected=1.0)
        assert summary.content["audit"] == {
            "duplicate_groups": 1,
            "redundant_images": 1,
            "conflicting_groups": 0,
            "in_training": {"PublicTest": 0, "PrivateTest": 0},
            "in_public_test": {"PrivateTest": 0},
            "in_earlier_split": {"PublicTest": 0, "PrivateTest": 0},
        }
        before = summary.content["audit_before_cleaning"]
        assert [before[f"{of}_groups"] for of in ("duplicate", "conflicting")] == [2, 1]
        assert before["redundant_images"] == 2
        assert before["in_training"] == {"PublicTest": 1, "PrivateTest": 0}

    def test_content_for_json_names_every_split_class_and_reason(self, tmp_path: Path, synthetic: Path) -> None:
        content = audited(synthetic, tmp_path)
        assert json.loads(json.dumps(content)) == content
        assert list(content["kept"]) == [split.value for split in Split]
        assert all(tuple(counts) == EMOTION_NAMES for counts in content["class_counts"].values())
        assert {s: sum(counts.values()) for s, counts in content["class_counts"].items()} == content["kept"]
        assert set(content["rejected"]) == {reason.value for reason in Reason}

    def test_twice_gives_the_same_bytes(self, tmp_path: Path, synthetic: Path) -> None:
        for name in ("a", "b"):
            write_clean(synthetic, tmp_path / name / "clean.h5", tmp_path / name / "rejected.csv", max_rejected=1.0)
        for name in ("clean.h5", "rejected.csv"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    def test_rejected_rows_are_sorted_across_blocks(
        self, tmp_path: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def small(path: Path) -> Iterator[Chunk]:
            return read_chunks(path, block_bytes=50_000)

        write_clean(synthetic, tmp_path / "a.h5", tmp_path / "a.csv", max_rejected=1.0)
        monkeypatch.setattr(ingestion, "read_chunks", small)
        write_clean(synthetic, tmp_path / "b.h5", tmp_path / "b.csv", max_rejected=1.0)
        assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
        with (tmp_path / "a.csv").open() as file:
            rows = [int(row["row"]) for row in csv.DictReader(file)]
        assert rows == sorted(rows)
        assert len(rows) == planted.BLANK + planted.MALFORMED

    def test_an_error_leaves_what_was_there(
        self, tmp_path: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, rejected = tmp_path / "out" / "clean.h5", tmp_path / "out" / "rejected.csv"
        write_clean(synthetic, store, rejected, max_rejected=1.0)
        before = store.read_bytes(), rejected.read_bytes()

        def fail(*_: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(ingestion, "mark_leaks", fail)
        with pytest.raises(OSError, match="disk full"):
            write_clean(synthetic, store, rejected, max_rejected=1.0)
        assert (store.read_bytes(), rejected.read_bytes()) == before
        assert sorted(path.name for path in store.parent.iterdir()) == ["clean.h5", "rejected.csv"]

    @pytest.mark.parametrize("body", [b"", b"3,1,Training\n", b"\x00" * 9000])
    def test_a_file_without_a_valid_face_is_an_error(self, tmp_path: Path, body: bytes) -> None:
        path = write(tmp_path, HEADER + body)
        with pytest.raises(Fer2013Error, match=r"no valid face of Training, PublicTest, PrivateTest in [01] rows"):
            write_clean(path, tmp_path / "out" / "clean.h5", tmp_path / "out" / "rejected.csv", max_rejected=1.0)
        assert list((tmp_path / "out").iterdir()) == []

    def test_a_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(Fer2013Error, match="a folder"):
            write_clean(tmp_path, tmp_path / "clean.h5", tmp_path / "rejected.csv", max_rejected=1.0)


def said(path: Path, folder: Path, *, max_rejected: float = 1.0) -> list[str]:
    lines: list[str] = []
    places = (folder / "clean.h5", folder / "rejected.csv", folder / "near_duplicates.csv")
    ingest(path, *places, near_duplicate_correlation=0.95, max_rejected=max_rejected, report=lines.append)
    return lines


class TestWhatIsSaid:
    def test_is_one_line_with_rows_splits_classes_and_the_first_example_of_each_reason(self, tmp_path: Path) -> None:
        broken = [b"3," + PIXEL_TEXT.replace(b" ", b".5 ", 1) + b",Training", b"9," + PIXEL_TEXT + b",Training"]
        path = write(tmp_path, HEADER + b"\n".join([*SOUND, broken[0], *broken]))
        assert said(path, tmp_path) == [
            "11 rows; kept 3 Training, 3 PublicTest, 2 PrivateTest; 2 anger, 1 disgust, 1 fear, 1 happy, 1 sad, "
            f"1 surprise, 1 neutral; rejected 2 invalid_pixel (first in row 8: '{FACE[0, 0]}.5'), "
            "1 unknown_emotion (first in row 10: '9')"
        ]

    def test_nothing_rejected_is_said_too(self, tmp_path: Path) -> None:
        assert said(write(tmp_path, HEADER + b"\n".join(SOUND)), tmp_path)[0].endswith("; rejected none")


class TestUnsoundFiles:
    def refused(self, folder: Path, lines: list[bytes], max_rejected: float = 0.01) -> str:
        (folder / "out").mkdir()
        with pytest.raises(Fer2013Error) as caught:
            said(write(folder, HEADER + b"\n".join(lines)), folder / "out", max_rejected=max_rejected)
        assert list((folder / "out").iterdir()) == []
        assert len(str(caught.value).splitlines()) <= 3
        return str(caught.value)

    @pytest.mark.parametrize(
        ("line", "reason", "allowed"),
        [
            (b"3," + PIXEL_TEXT.replace(b" ", b".5 ") + b",Training", "invalid_pixel", "whole numbers from 0 to 255"),
            (b"angry," + PIXEL_TEXT + b",Training", "unknown_emotion (first in row 8: 'angry')", "0 anger, 1 disgust"),
            (b"3," + PIXEL_TEXT + b",train", "unknown_usage (first in row 8: 'train')", "Training, PublicTest"),
            (b'3,"[1, 2, 3]",Training', "unreadable_row", "no commas or brackets"),
        ],
    )
    def test_too_many_rejected_rows_are_an_error_that_shows_one(
        self, tmp_path: Path, line: bytes, reason: str, allowed: str
    ) -> None:
        message = self.refused(tmp_path, [*SOUND, line, line])
        assert "2 of 10 rows rejected, 20.0%; clean.max_rejected allows 1.0%\n" in message
        assert reason in message
        assert allowed in message.splitlines()[-1]

    def test_as_many_as_are_allowed_are_none(self, tmp_path: Path) -> None:
        lines = [*SOUND, b"9,1,Training", b"9,1,Training"]
        assert said(write(tmp_path, HEADER + b"\n".join(lines)), tmp_path, max_rejected=0.2)

    @pytest.mark.parametrize("split", list(Split))
    def test_a_split_without_faces_is_an_error(self, tmp_path: Path, split: Split) -> None:
        lines = [line for line in SOUND if not line.endswith(split.value.encode())]
        assert f"no valid face of {split} in {len(lines)} rows" in self.refused(tmp_path, lines)


class TestAFileOfFer2013sLength:
    """Other datasets, numbered otherwise, are handed around in FER2013's format."""

    @pytest.mark.parametrize("renumbered", [False, True])
    def test_with_other_class_counts_gets_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, renumbered: bool
    ) -> None:
        classes = np.zeros((3, 7), np.int64)
        np.add.at(classes, ([i % 3 for i in range(8)], [i % 7 for i in range(8)]), 1)
        monkeypatch.setattr(ingestion, "FER2013_ROWS", 8)
        monkeypatch.setattr(ingestion, "FER2013_CLASSES", np.roll(classes, int(renumbered), axis=1).tolist())
        lines = said(write(tmp_path, HEADER + b"\n".join(SOUND)), tmp_path)
        assert [line.startswith("warning: as many rows as FER2013 has") for line in lines[1:]] == [True] * renumbered

    def test_the_competitions_counts_add_up(self) -> None:
        assert [sum(counts) for counts in FER2013_CLASSES] == [28_709, 3589, 3589]
        assert FER2013_ROWS == 28_709 + 2 * 3589


@pytest.mark.full
@pytest.mark.skipif(not RAW.exists(), reason="the pipeline at the root has not acquired FER2013")
def test_the_real_file(tmp_path: Path) -> None:
    """The twelve constant images are all black: one group, eleven redundant, with conflicting labels."""
    found = audited(RAW, tmp_path)
    assert found["rows"] == 35_887
    assert found["kept"] == {"Training": 28_698, "PublicTest": 3_588, "PrivateTest": 3_589}
    assert found["rejected"] == {reason.value: 12 * (reason is Reason.constant_image) for reason in Reason}
    assert found["audit_before_cleaning"] == {
        "duplicate_groups": 1_514,
        "redundant_images": 1_851,
        "conflicting_groups": 57,
        "in_training": {"PublicTest": 280, "PrivateTest": 288},
        "in_public_test": {"PrivateTest": 44},
        "in_earlier_split": {"PublicTest": 280, "PrivateTest": 314},
    }
    assert (found["audit"]["duplicate_groups"], found["audit"]["redundant_images"]) == (1_513, 1_840)
