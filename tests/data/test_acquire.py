"""Every form in which FER2013 is handed around ends in the same CSV; anything else is refused by name."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer.constants import IMAGE_SIZE, Emotion, Split
from fer.data import archives
from fer.data.acquire import acquire, acquire_faces
from fer.data.fer2013 import Rejected, read_chunks
from fer.data.votes import require_same_faces
from fer.errors import UserError
from fer.ferplus import HEADER as VOTES_HEADER
from fer.ferplus import read_votes

HEADER = "emotion,pixels,Usage\n"
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (6, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
PLACES = [  # in the order that the CSV is to have
    ("train/angry/Training_9.png", Emotion.anger, Split.training),
    ("train/surprise/Training_10.png", Emotion.surprise, Split.training),
    ("test/happy/PublicTest_2.png", Emotion.happy, Split.public_test),
    ("test/fear/PublicTest_100.png", Emotion.fear, Split.public_test),
    ("test/neutral/PrivateTest_1.png", Emotion.neutral, Split.private_test),
    ("test/disgust/PrivateTest_3.png", Emotion.disgust, Split.private_test),
]


def row(picture: np.ndarray, emotion: int, split: str) -> str:
    return f"{emotion},{' '.join(map(str, picture.ravel().tolist()))},{split}\n"


NO_VOTES = "no FER+ votes (fer2013new.csv)"
CSV = HEADER + "".join(row(p, int(e), s) for p, (_, e, s) in zip(PICTURES, PLACES, strict=True))


def save(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder as Kaggle's msambare/fer2013, but lossless."""
    folder = tmp_path / "images"
    for picture, (place, _, _) in reversed(list(zip(PICTURES, PLACES, strict=True))):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / place)
    return folder


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_text(CSV)
    return path


def acquired(source: Path, tmp_path: Path) -> str:
    out = tmp_path / "out" / "raw.csv"
    acquire_faces(source, out)
    assert list(out.parent.iterdir()) == [out]
    return out.read_text()


def said(source: Path, tmp_path: Path) -> list[str]:
    """The lines that `acquire` prints; the CSV is right."""
    lines = acquire(source, tmp_path / "out" / "raw.csv", tmp_path / "out" / "votes.csv")
    assert (tmp_path / "out" / "raw.csv").read_text() == CSV
    return lines


def refused(source: Path, tmp_path: Path) -> str:
    """The message; nothing is left behind."""
    with pytest.raises(UserError) as caught:
        acquire_faces(source, tmp_path / "out" / "raw.csv")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    assert len(str(caught.value).splitlines()) <= 5
    return str(caught.value)


class TestCsv:
    def test_of_the_competition_is_copied(self, csv: Path, tmp_path: Path) -> None:
        csv.write_bytes(CSV.replace("\n", "\r\n").encode() + b"3,broken")
        assert acquired(csv, tmp_path).encode() == csv.read_bytes().replace(b"\r\n", b"\n")
        assert (tmp_path / "out" / "raw.csv").read_bytes() == csv.read_bytes()

    def test_is_not_linked(self, csv: Path, tmp_path: Path) -> None:
        """DVC makes its files read-only; the user's own must not change with them."""
        acquired(csv, tmp_path)
        assert not csv.samefile(tmp_path / "out" / "raw.csv")

    def test_may_stand_where_it_belongs_already(self, csv: Path) -> None:
        acquire_faces(csv, csv)
        assert csv.read_text() == CSV

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_in_another_column_order_is_rewritten(self, tmp_path: Path, newline: str) -> None:
        lines = [line.split(",") for line in CSV.splitlines()[1:]]
        other = [f"{emotion}, {usage} ,{pixels}{newline}" for emotion, pixels, usage in lines]
        path = tmp_path / "icml_face_data.csv"
        path.write_bytes(("\ufeffemotion, Usage, pixels" + newline + "".join(other)).encode())
        assert acquired(path, tmp_path) == CSV

    def test_rewritten_is_ingested_alike(self, tmp_path: Path) -> None:
        """Broken rows keep their numbers and reasons."""
        usages = ["Training", '"PublicTest"', "Test", "Training,more", "Training"]
        pixels = ["1 " * 2304, "1 2", "1", "1", "1\x00"]
        lines = [f"3,{usage},{text}\n" for usage, text in zip(usages, pixels, strict=True)]
        long = f"3,Training,{'1 ' * 40_000}\n"
        path = tmp_path / "icml_face_data.csv"
        path.write_text("emotion,Usage,pixels\n" + "".join([*lines, long, "\n", *lines, "only this"]))
        acquired(path, tmp_path)

        def rejected(file: Path) -> list[Rejected]:
            return [each for chunk in read_chunks(file) for each in chunk.rejected]

        assert rejected(tmp_path / "out" / "raw.csv") == rejected(path)
        assert len(rejected(path)) == 12

    @pytest.mark.parametrize(
        ("header", "form"),
        [
            (",emotion,pixels,Usage", "17,{},{},{}"),
            ("Emotion;Pixels;USAGE", "{};{};{}"),
            ('"emotion","pixels","Usage"', "{},{},{}"),
            ("emotion,pixels,Usage,", "{},{},{},"),
        ],
    )
    def test_in_another_form_is_rewritten(self, tmp_path: Path, header: str, form: str) -> None:
        lines = [form.format(*line.split(",")) for line in CSV.splitlines()[1:]]
        path = tmp_path / "faces.csv"
        path.write_text("\n".join([header, *lines]))
        assert acquired(path, tmp_path) == CSV

    @pytest.mark.parametrize("content", ["", "a,b,c\n", "\x00" * 1000])
    def test_of_something_else_is_refused(self, csv: Path, tmp_path: Path, content: str) -> None:
        csv.write_text(content)
        assert str(csv) in refused(csv, tmp_path)

    def test_that_does_not_exist_is_refused(self, tmp_path: Path) -> None:
        assert "none.csv: no such file" in refused(tmp_path / "none.csv", tmp_path)


class TestImages:
    def test_become_the_csv_in_a_fixed_order(self, images: Path, tmp_path: Path) -> None:
        assert acquired(images, tmp_path) == CSV

    def test_may_be_jpeg_and_in_colour(self, images: Path, tmp_path: Path) -> None:
        for place, _, _ in PLACES:
            with Image.open(images / place) as image:
                image.convert("RGB").save((images / place).with_suffix(".jpg"), quality=100, subsampling=0)
            (images / place).unlink()
        lines = acquired(images, tmp_path).splitlines()[1:]
        pixels = np.array([line.split(",")[1].split() for line in lines], np.int64)
        assert np.abs(pixels - PICTURES.reshape(6, -1)).max() <= 4

    def test_in_colour_without_colour_keep_their_greys(self, images: Path, tmp_path: Path) -> None:
        for place, _, _ in PLACES:
            with Image.open(images / place) as image:
                image.convert("RGB").save(images / place)
        assert acquired(images, tmp_path) == CSV

    @pytest.mark.parametrize(
        ("name", "emotion"),
        [("anger", 0), ("Disgusted", 1), ("fearful", 2), ("happiness", 3), ("sadness", 4), ("Surprised", 5)],
    )
    def test_folders_are_spelt_in_many_ways(self, tmp_path: Path, name: str, emotion: int) -> None:
        path = tmp_path / "images" / "train" / name / "im7.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(PICTURES[0]).save(path)
        assert acquired(tmp_path / "images", tmp_path) == HEADER + row(PICTURES[0], emotion, "Training")

    def test_clutter_is_passed_over(self, images: Path, tmp_path: Path) -> None:
        for clutter in ("train/angry/._Training_9.png", "__MACOSX/train/x.png", "train/angry/Thumbs.db", ".DS_Store"):
            (images / clutter).parent.mkdir(parents=True, exist_ok=True)
            (images / clutter).write_bytes(b"clutter")
        assert said(images, tmp_path) == [f"6 images of {images}", NO_VOTES]

    @pytest.mark.parametrize(
        ("place", "what"),
        [
            ("test/angry/7.png", "the folder 'test' is PublicTest or PrivateTest: rename it"),
            ("test/bored/Test_7.png", "the folder 'test' is PublicTest or PrivateTest: rename it"),
            ("validation/angry/7.png", "the folder 'validation' is PublicTest or PrivateTest: rename it"),
            ("angry/7.png", "no folder above it says which split it is of"),
            ("Angry_7.png", "no folder above it says which split it is of"),
        ],
    )
    def test_whose_test_split_is_unknown_are_refused(self, images: Path, tmp_path: Path, place: str, what: str) -> None:
        """Before the emotion's name is looked at."""
        save(PICTURES[0], images / place)
        if place.startswith("validation"):
            (images / "test").rename(images / "more")
        message = refused(images, tmp_path)
        assert place in message
        assert what in message
        assert "needed are the folders train, PublicTest, which selects, and PrivateTest" in message

    def test_whose_name_and_folder_contradict_each_other_are_refused(self, images: Path, tmp_path: Path) -> None:
        save(PICTURES[0], images / "train" / "angry" / "PublicTest_7.png")
        assert "its name says PublicTest, its folder 'train' does not" in refused(images, tmp_path)

    def test_of_an_unknown_emotion_are_refused(self, images: Path, tmp_path: Path) -> None:
        (images / "train" / "bored").mkdir()
        Image.fromarray(PICTURES[0]).save(images / "train" / "bored" / "Training_1.png")
        assert "bored/Training_1.png: its folder 'bored' is no emotion" in refused(images, tmp_path)

    @pytest.mark.parametrize(
        "places",
        [
            ["Training/0/9.png", "Training/5/10.png", "PublicTest/3/2.png", "PublicTest/2/100.png",
             "PrivateTest/6/1.png", "PrivateTest/1/3.png"],
            ["TRAIN/Angry/9.png", "train/5_surprise/10.png", "Val/HAPPY/2.png", "val/fear - Copy/100.png",
             "TEST/Neutral/1 - Copy.png", "test/Disgust/3.png"],
            ["train/Angry_9.png", "train/surprise (10).png", "val/im_happy_2.png", "val/FEAR100.png",
             "test/neutral-1.png", "test/disgusted 3.png"],
            ["a b/angry/train/9.png", "a b/surprise/train/10.png", "a b/happy/public_test/2.png",
             "a b/fear/public test/100.png", "a b/neutral/private/1.png", "a b/disgust/PRIVATE/3.png"],
        ],
    )  # fmt: skip
    def test_stand_in_folders_of_many_layouts(self, tmp_path: Path, places: list[str]) -> None:
        for picture, place in zip(PICTURES, places, strict=True):
            save(picture, tmp_path / "images" / place)
        lines = said(tmp_path / "images", tmp_path)
        assert any("read as FER2013's: 0 anger, 1 disgust" in line for line in lines) == ("Training/0/9.png" in places)
        validation = "the folder 'test' is read as PrivateTest, the folder 'val' is read as PublicTest"
        assert (validation in lines) == any(place.lower().startswith("val") for place in places)

    @pytest.mark.parametrize("name", ["7", "contempt"])
    def test_of_another_numbering_are_refused(self, images: Path, tmp_path: Path, name: str) -> None:
        save(PICTURES[0], images / "train" / name / "1.png")
        message = refused(images, tmp_path)
        assert f"train/{name}/1.png: its folder {name!r} is no emotion" in message
        assert "0 anger, 1 disgust, 2 fear" in message

    def test_of_every_lossless_format_are_read(self, images: Path, tmp_path: Path) -> None:
        names = ["9.bmp", "10.tif", "2.webp", "100.pgm", "1.gif", "3"]
        for (place, _, _), name in zip(PLACES, names, strict=True):
            with Image.open(images / place) as image:
                options = {"lossless": True, "exact": True} if name.endswith("webp") else {}
                image.save((images / place).with_name(f"{Path(place).stem.partition('_')[0]}_{name}"),
                           format=None if "." in name else "PNG", **options)  # fmt: skip
            (images / place).unlink()
        assert said(images, tmp_path) == [f"6 images of {images}", NO_VOTES]

    @pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPEG", ""])
    def test_are_read_whatever_their_suffix(self, images: Path, tmp_path: Path, suffix: str) -> None:
        with Image.open(images / PLACES[0][0]) as image:
            image.save(images / "train/angry" / f"Training_11{suffix}", format="JPEG")
        assert len(acquired(images, tmp_path).splitlines()) == 1 + len(PLACES) + 1

    @pytest.mark.parametrize(
        ("name", "content", "what"),
        [
            ("Training_1.HEIC", b"\0\0\0\x18ftypheic" + bytes(9), "a HEIC picture; convert it to PNG or JPEG"),
            ("Training_1", b"\0\0\0\x18ftypheic" + bytes(9), "a HEIC picture; convert it to PNG or JPEG"),
            *((f"Training_1{suffix}", b"x", f"a {suffix} picture; convert it") for suffix in (".jp2", ".tga", ".ICO")),
            ("Training_1.png", b"<!DOCTYPE html>", "a web page, not the data"),
            ("Training_1.png", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        ],
    )
    def test_that_cannot_be_read_are_named_and_not_left_out(
        self, images: Path, tmp_path: Path, name: str, content: bytes, what: str
    ) -> None:
        (images / "train" / "angry" / name).write_bytes(content)
        message = refused(images, tmp_path)
        assert message.startswith("1 of 7 pictures cannot be read\n")
        assert f"train/angry/{name}: {what}" in message

    def test_of_several_frames_are_refused(self, images: Path, tmp_path: Path) -> None:
        first, *more = (Image.fromarray(picture) for picture in PICTURES[:3])
        first.save(images / "train" / "angry" / "Training_1.gif", save_all=True, append_images=more)
        assert "Training_1.gif: more than one picture in it" in refused(images, tmp_path)

    def test_other_files_beside_them_are_said(self, images: Path, tmp_path: Path) -> None:
        (images / "README.txt").write_text("see the paper")
        (images / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
        assert said(images, tmp_path)[1] == "not used: README.txt, film.mp4"

    def test_of_another_size_are_refused(self, images: Path, tmp_path: Path) -> None:
        Image.fromarray(PICTURES[0][:47]).save(images / PLACES[2][0])
        assert f"{PLACES[2][0]}: 48x47 pixels, expected 48x48" in refused(images, tmp_path)

    def test_of_sixteen_bits_are_refused(self, images: Path, tmp_path: Path) -> None:
        Image.fromarray(PICTURES[0].astype(np.uint16) * 256).save(images / PLACES[2][0])
        assert f"{PLACES[2][0]}: mode I;16; expected grey or RGB, eight bits" in refused(images, tmp_path)

    @pytest.mark.parametrize("length", [0, 8, 20, 60, 1000])
    def test_that_are_damaged_are_refused(self, images: Path, tmp_path: Path, length: int) -> None:
        path = images / PLACES[2][0]
        path.write_bytes(path.read_bytes()[:length])
        assert f"{path}: no readable picture" in refused(images, tmp_path)

    @pytest.mark.parametrize("kind", ["TIFF", "PPM", "BMP"])
    def test_that_are_cut_in_another_format_are_refused(self, images: Path, tmp_path: Path, kind: str) -> None:
        path = images / PLACES[2][0]
        Image.fromarray(PICTURES[0]).save(path, kind)
        path.write_bytes(path.read_bytes()[:-300])
        assert f"{path}: no readable picture" in refused(images, tmp_path)

    def test_missing_altogether_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        message = refused(tmp_path / "empty", tmp_path)
        for way in ("holds no fer2013.csv", "make fer2013 CSV=path", "python -m fer download", "make demo"):
            assert way in message


class TestFolders:
    """data/source, the user's folder."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        (tmp_path / "data" / "source").mkdir(parents=True)
        return tmp_path / "data" / "source"

    def test_may_hold_links_and_be_one(self, csv: Path, images: Path, source: Path, tmp_path: Path) -> None:
        (source / "faces.csv").symlink_to(csv)
        assert said(source, tmp_path) == [str(source / "faces.csv"), NO_VOTES]
        (source / "faces.csv").unlink()
        (source / "pictures").symlink_to(images)
        assert said(source, tmp_path)[0] == f"6 images of {source}"
        (images / "again").symlink_to(images)
        (tmp_path / "link").symlink_to(source)
        assert said(tmp_path / "link", tmp_path)[0] == f"6 images of {tmp_path / 'link'}"

    def test_stay_as_they_are(self, csv: Path, source: Path, tmp_path: Path) -> None:
        (source / "fer2013.csv").symlink_to(csv)
        before = csv.stat()
        said(source, tmp_path)
        after = csv.stat()
        assert (after.st_mode, after.st_mtime_ns, after.st_nlink) == (before.st_mode, before.st_mtime_ns, 1)
        assert (source / "fer2013.csv").readlink() == csv

    def test_with_several_csvs_are_refused_by_name(self, csv: Path, source: Path, tmp_path: Path) -> None:
        for name in ("fer2013.csv", "copy of it.csv"):
            (source / name).symlink_to(csv)
        message = refused(source, tmp_path)
        assert "several files could be FER2013" in message
        assert str(source / "fer2013.csv") in message
        assert str(source / "copy of it.csv") in message

    def test_of_the_competition_hold_what_is_not_used(self, csv: Path, source: Path, tmp_path: Path) -> None:
        csv.rename(source / "icml_face_data.csv")
        (source / "train.csv").write_text("emotion,pixels\n0,1 2\n")
        (source / "fer2013.tar.gz").write_bytes(gzip.compress(b"not looked at"))
        lines = said(source, tmp_path)
        assert lines == [str(source / "icml_face_data.csv"), "not used: fer2013.tar.gz, train.csv", NO_VOTES]

    @pytest.mark.parametrize("missing", [False, True])
    def test_without_files_name_the_ways_to_get_them(self, source: Path, tmp_path: Path, *, missing: bool) -> None:
        if missing:
            source.rmdir()
        with pytest.raises(UserError) as caught:
            acquire(source, tmp_path / "raw.csv", tmp_path / "votes.csv")
        for way in (str(source), "make fer2013 CSV=path", "python -m fer download", "make demo"):
            assert way in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "content", "what"),
        [
            ("fer2013.csv", b"7z\xbc\xaf\x27\x1c" + bytes(90), "a 7z archive; unpack it"),
            ("fer2013.rar", b"Rar!\x1a\x07\x01", "a RAR archive; unpack it"),
            ("faces.npy", b"\x93NUMPY\x01", "a NumPy file"),
            ("faces.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            ("faces", b"PAR1", "a Parquet file"),
            ("fer.csv", b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "an Excel file; save it as CSV"),
            ("fer.xlsx", b"PK\x03\x04" + bytes(26) + b"docProps/app.xml", "an Excel file; save it as CSV"),
            ("fer2013.zip", b"\n<!DOCTYPE html><html>", "a web page, not the data: sign in and download again"),
            ("fer2013.csv", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
            ("train.csv", b"emotion,pixels\n0,1 2\n", "the same download holds icml_face_data.csv"),
            ("fer2013.csv", "emotion,pixels,Usage".encode("utf-16"), "UTF-16, as Excel saves"),
            ("fer2013.csv", b"0,1 2 3,Training\n", "no header"),
        ],
    )
    def test_with_something_else_say_what_it_is(
        self, source: Path, tmp_path: Path, name: str, content: bytes, what: str
    ) -> None:
        (source / name).write_bytes(content)
        message = refused(source, tmp_path)
        assert what in message
        assert str(source / name) in message
        assert what in refused(source / name, tmp_path)


class TestVotes:
    """FER+ beside FER2013; `fer2013new.csv` or what has its header."""

    @staticmethod
    def votes(labels: list[int], splits: list[str]) -> str:
        columns = dict(zip((4, 5, 6, 1, 3, 2, 0), range(7), strict=True))  # of CHOICES, to Emotion
        lines = [",".join([split, "", *("9" if columns.get(place) == label else "0" for place in range(10))])
                 for label, split in zip(labels, splits, strict=True)]  # fmt: skip
        return "\n".join([",".join(VOTES_HEADER), *lines]) + "\n"

    LABELS, SPLITS = [int(emotion) for _, emotion, _ in PLACES], [split.value for *_, split in PLACES]

    @pytest.mark.parametrize("name", ["fer2013new.csv", "ferplus.csv"])
    def test_are_copied(self, csv: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / "source").mkdir()
        csv.rename(tmp_path / "source" / "fer2013.csv")
        votes = tmp_path / "source" / name
        votes.write_text(self.votes(self.LABELS, self.SPLITS))
        assert said(tmp_path / "source", tmp_path)[1] == f"{votes}: FER+ votes on 6 rows"
        assert (tmp_path / "out" / "votes.csv").read_bytes() == votes.read_bytes()

    def test_that_are_not_there_leave_a_header(self, csv: Path, tmp_path: Path) -> None:
        assert said(csv, tmp_path)[1] == NO_VOTES
        assert (tmp_path / "out" / "votes.csv").read_text() == ",".join(VOTES_HEADER) + "\n"

    @pytest.mark.parametrize(
        ("labels", "splits", "message"),
        [
            (LABELS[:5], SPLITS[:5], "votes on 5 rows, but there are 6"),
            (LABELS, SPLITS[::-1], "row 0 is of PrivateTest, but the face there is of Training"),
            (LABELS[1:] + LABELS[:1], SPLITS, "the most frequent vote is the label of 0% of the rows"),
        ],
    )
    def test_on_other_faces_are_refused(
        self, csv: Path, tmp_path: Path, labels: list[int], splits: list[str], message: str
    ) -> None:
        (tmp_path / "source").mkdir()
        csv.rename(tmp_path / "source" / "fer2013.csv")
        (tmp_path / "source" / "fer2013new.csv").write_text(self.votes(labels, splits))
        with pytest.raises(UserError) as caught:
            acquire(tmp_path / "source", tmp_path / "out" / "raw.csv", tmp_path / "out" / "votes.csv")
        assert message in str(caught.value)
        assert f"{tmp_path}/source/fer2013new.csv" in str(caught.value)
        assert not (tmp_path / "out" / "votes.csv").exists()

    def test_on_faces_without_a_row_or_a_known_label_are_refused(self, csv: Path, tmp_path: Path) -> None:
        (tmp_path / "votes.csv").write_text(self.votes(self.LABELS, self.SPLITS))
        votes = read_votes(tmp_path / "votes.csv")
        assert votes is not None
        header = csv.read_text().splitlines()[0]
        for content, message in (("", "votes on 6 rows, but there are 0"), ("x,1,\n" * 6, "the label of 0% of the")):
            csv.write_text(f"{header}\n{content}")
            with pytest.raises(UserError, match=message):
                require_same_faces(votes, csv, named=Path("votes.csv"))

    def test_in_an_archive_are_said_to_be_left_out(self, csv: Path, tmp_path: Path) -> None:
        (tmp_path / "both").mkdir()
        csv.rename(tmp_path / "both" / "fer2013.csv")
        (tmp_path / "both" / "fer2013new.csv").write_text(self.votes(self.LABELS, self.SPLITS))
        archive = zipped(tmp_path / "both", tmp_path / "both.zip")
        assert said(archive, tmp_path)[1:] == ["not used: fer2013new.csv", NO_VOTES]

    def test_twice_are_refused(self, csv: Path, tmp_path: Path) -> None:
        (tmp_path / "source").mkdir()
        csv.rename(tmp_path / "source" / "fer2013.csv")
        for name in ("a.csv", "b.csv"):
            (tmp_path / "source" / name).write_text(self.votes(self.LABELS, self.SPLITS))
        with pytest.raises(UserError, match="several files of FER\\+ votes"):
            acquire(tmp_path / "source", tmp_path / "out" / "raw.csv", tmp_path / "out" / "votes.csv")


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def tarred(folder: Path, path: Path) -> Path:
    mode: Any = {".tar": "w:", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w:gz")
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname=".")
    return path


def without_a_suffix(folder: Path, path: Path) -> Path:
    """A tar that is called like a CSV, or like nothing."""
    return tarred(folder, path.with_suffix(".tar")).rename(path)


PACKERS = [
    (zipped, "fer.zip"),
    (tarred, "fer.tar.gz"),
    (tarred, "FER.TGZ"),
    (tarred, "fer.tar"),
    (tarred, "fer.tar.bz2"),
    (tarred, "fer.tar.xz"),
    (without_a_suffix, "fer2013"),
    (without_a_suffix, "fer2013.csv"),
]
Packer = Callable[[Path, Path], Path]


@pytest.mark.parametrize(("pack", "name"), PACKERS)
class TestArchives:
    def test_of_images_are_read(self, images: Path, tmp_path: Path, pack: Packer, name: str) -> None:
        assert acquired(pack(images, tmp_path / name), tmp_path) == CSV

    def test_of_a_csv_are_read(self, tmp_path: Path, pack: Packer, name: str) -> None:
        (tmp_path / "packed" / "fer2013").mkdir(parents=True)
        (tmp_path / "packed" / "fer2013" / "fer2013.csv").write_text(CSV)
        (tmp_path / "packed" / "README").write_text("see the paper")
        assert acquired(pack(tmp_path / "packed", tmp_path / name), tmp_path) == CSV

    def test_in_an_archive_are_read(self, csv: Path, tmp_path: Path, pack: Packer, name: str) -> None:
        """The competition's zip holds fer2013.tar.gz."""
        (tmp_path / "inner").mkdir()
        (tmp_path / "outer").mkdir()
        csv.rename(tmp_path / "inner" / "fer2013.csv")
        tarred(tmp_path / "inner", tmp_path / "outer" / "fer2013.tar.gz")
        assert acquired(pack(tmp_path / "outer", tmp_path / name), tmp_path) == CSV

    def test_name_themselves_in_what_is_wrong_inside(
        self, images: Path, tmp_path: Path, pack: Packer, name: str
    ) -> None:
        (images / PLACES[0][0]).write_bytes(b"damaged")
        assert f"{tmp_path / name}/{PLACES[0][0]}: no readable" in refused(pack(images, tmp_path / name), tmp_path)

    def test_that_are_damaged_are_refused(self, images: Path, tmp_path: Path, pack: Packer, name: str) -> None:
        path = pack(images, tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert f"{path}: cannot be unpacked" in refused(path, tmp_path)

    def test_that_unpack_to_too_much_are_refused(
        self, csv: Path, tmp_path: Path, pack: Packer, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archives, "MAX_UNPACKED", csv.stat().st_size - 1)
        (tmp_path / "packed").mkdir()
        csv.rename(tmp_path / "packed" / "fer2013.csv")
        assert "refused, for it unpacks to over" in refused(pack(tmp_path / "packed", tmp_path / name), tmp_path)

    def test_of_too_many_files_are_refused(
        self, images: Path, tmp_path: Path, pack: Packer, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
        assert "5 files" in refused(pack(images, tmp_path / name), tmp_path)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")])
class TestCompressedCsvs:
    def test_are_read(self, tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str) -> None:
        for name in (f"fer2013.csv{suffix}", "fer2013.csv", "fer2013"):
            (tmp_path / name).write_bytes(pack(CSV.encode()))
            assert acquired(tmp_path / name, tmp_path) == CSV

    def test_that_were_cut_are_refused(self, tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str) -> None:
        path = tmp_path / f"fer2013.csv{suffix}"
        path.write_bytes(pack(CSV.encode())[:-20])
        assert f"{path}: cannot be unpacked" in refused(path, tmp_path)

    def test_that_unpack_to_too_much_are_refused(
        self, tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archives, "MAX_UNPACKED", len(CSV) - 1)
        path = tmp_path / f"fer2013.csv{suffix}"
        path.write_bytes(pack(CSV.encode()))
        assert "refused, for it unpacks to over" in refused(path, tmp_path)


class TestZips:
    def test_of_windows_have_backslashes(self, tmp_path: Path, images: Path) -> None:
        with zipfile.ZipFile(tmp_path / "fer.zip", "w") as archive:
            for place, _, _ in PLACES:
                archive.writestr(zipfile.ZipInfo(place.replace("/", "\\")), (images / place).read_bytes())
        assert acquired(tmp_path / "fer.zip", tmp_path) == CSV

    def test_say_what_was_read_by_its_place_in_them(self, tmp_path: Path, images: Path) -> None:
        (images / "README").write_text("see the paper")
        path = zipped(images, tmp_path / "fer.zip")
        assert said(path, tmp_path) == [f"6 images of {path}", "not used: README", NO_VOTES]


ELSEWHERE = ["../evil.csv", "a/../../evil.csv", "/{tmp}/evil.csv", "..\\evil.csv", "C:\\evil.csv"]


class TestCutArchives:
    @pytest.mark.parametrize("name", ["fer.tar", "fer.tar.gz", "fer.tar.xz", "fer.zip"])
    def test_are_refused_wherever_the_cut_is(self, images: Path, tmp_path: Path, name: str) -> None:
        """Else a test split could lose faces without a word: tarfile stops quietly between two files."""
        content = {packed: pack for pack, packed in PACKERS}[name](images, tmp_path / name).read_bytes()
        for cut in range(512, len(content.rstrip(bytes(1))), 512 * 3):
            (tmp_path / name).write_bytes(content[:cut])
            assert "cannot be unpacked" in refused(tmp_path / name, tmp_path)

    @pytest.mark.parametrize("name", ["fer.tar", "fer.tar.gz", "fer.tgz", "fer.zip"])
    @pytest.mark.parametrize("content", [b"", b"no archive" * 100, bytes(10_240)])
    def test_and_what_is_no_archive_are_refused(self, tmp_path: Path, name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        assert str(tmp_path / name) in refused(tmp_path / name, tmp_path)


class TestHostileArchives:
    @pytest.mark.parametrize("member", ELSEWHERE)
    @pytest.mark.parametrize("name", ["evil.zip", "evil.tar.gz"])
    def test_do_not_write_elsewhere(
        self, tmp_path: Path, member: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = member.replace("{tmp}", str(tmp_path))
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        if name.endswith(".zip"):
            with zipfile.ZipFile(tmp_path / name, "w") as archive:
                archive.writestr(zipfile.ZipInfo(member), CSV)
        else:
            add_members(tmp_path / name, [(tarfile.TarInfo(member), CSV.encode())])
        assert "would be written elsewhere" in refused(tmp_path / name, tmp_path)
        assert [path.name for path in tmp_path.rglob("*evil*")] == [name]
        assert list((tmp_path / "temporary").iterdir()) == []

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    )
    def test_tar_members_that_are_no_files_are_refused(self, tmp_path: Path, kind: bytes) -> None:
        member = tarfile.TarInfo("fer2013.csv")
        member.type, member.linkname = kind, "/etc/passwd"
        add_members(tmp_path / "evil.tar", [(member, b"")])
        assert "'fer2013.csv' is no plain file" in refused(tmp_path / "evil.tar", tmp_path)

    def test_a_file_behind_a_link_is_refused(self, tmp_path: Path) -> None:
        link = tarfile.TarInfo("here")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        add_members(tmp_path / "evil.tar", [(link, b""), (tarfile.TarInfo("here/evil.csv"), CSV.encode())])
        assert "'here' is no plain file" in refused(tmp_path / "evil.tar", tmp_path)
        assert not (tmp_path / "evil.csv").exists()

    def test_zip_members_that_are_links_are_refused(self, tmp_path: Path) -> None:
        link = zipfile.ZipInfo("fer2013.csv")
        link.external_attr = 0o120777 << 16
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
            archive.writestr(link, "/etc/passwd")
        assert "'fer2013.csv' is no plain file" in refused(tmp_path / "evil.zip", tmp_path)

    def test_a_zip_that_lies_about_its_size_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "evil.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fer2013.csv", bytes(1 << 20))
        path.write_bytes(path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little")))
        assert "cannot be unpacked" in refused(path, tmp_path)

    def test_nested_without_end_are_refused(self, csv: Path, tmp_path: Path) -> None:
        inner = csv
        for depth in range(4):
            folder = tmp_path / str(depth)
            folder.mkdir()
            inner = inner.rename(folder / inner.name)
            inner = zipped(folder, tmp_path / f"{depth}.zip")
        assert "unpack it first" in refused(inner, tmp_path)

    def test_a_name_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
            archive.writestr("größe.csv", CSV)
        content = (tmp_path / "evil.zip").read_bytes()
        (tmp_path / "evil.zip").write_bytes(content.replace("öß".encode(), b"\xff\xff\xff\xff"))
        assert "cannot be unpacked" in refused(tmp_path / "evil.zip", tmp_path)


def add_members(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
