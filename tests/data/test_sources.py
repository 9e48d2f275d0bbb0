"""Every form in which FER2013 is handed around ends in the same CSV; anything else is refused by name."""

import io
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import kagglehub
import numpy as np
import pytest
from PIL import Image

from fer.data import sources
from fer.data.fer2013 import Fer2013Error, Rejected, read_chunks
from fer.data.sources import COMPETITION_FILE, PUBLIC_COPY_FILE, SourceError, acquire_fer2013, find_source
from fer.emotions import IMAGE_SIZE, Emotion, Split

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


CSV = HEADER + "".join(row(p, int(e), s) for p, (_, e, s) in zip(PICTURES, PLACES, strict=True))


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


def acquired(source: Path | None, tmp_path: Path) -> str:
    out = tmp_path / "out" / "raw.csv"
    acquire_fer2013(source, out)
    assert list(out.parent.iterdir()) == [out]
    return out.read_text()


def refused(source: Path | None, tmp_path: Path) -> str:
    """The message; nothing is left behind."""
    with pytest.raises((SourceError, Fer2013Error)) as caught:
        acquire_fer2013(source, tmp_path / "out" / "raw.csv")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    assert len(str(caught.value).splitlines()) <= 3
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
        acquire_fer2013(csv, csv)
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
        usages = ["Training", '"PublicTest"', "Test", "Training,", "Training"]
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
        for clutter in ("train/angry/._Training_9.png", "__MACOSX/train/x.png", "train/angry/Thumbs.db"):
            (images / clutter).parent.mkdir(parents=True, exist_ok=True)
            (images / clutter).write_bytes(b"clutter")
        assert acquired(images, tmp_path) == CSV

    @pytest.mark.parametrize("place", ["test/angry/7.png", "test/angry/Test_7.png", "angry/7.png"])
    def test_whose_test_split_is_unknown_are_refused(self, images: Path, tmp_path: Path, place: str) -> None:
        (images / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PICTURES[0]).save(images / place)
        message = refused(images, tmp_path)
        assert place in message
        assert "PublicTest or PrivateTest" in message

    def test_of_an_unknown_emotion_are_refused(self, images: Path, tmp_path: Path) -> None:
        (images / "train" / "bored").mkdir()
        Image.fromarray(PICTURES[0]).save(images / "train" / "bored" / "Training_1.png")
        assert "bored/Training_1.png: its folder is no emotion" in refused(images, tmp_path)

    def test_of_another_size_are_refused(self, images: Path, tmp_path: Path) -> None:
        Image.fromarray(PICTURES[0][:47]).save(images / PLACES[2][0])
        assert f"{PLACES[2][0]}: 48x47 pixels, expected 48x48" in refused(images, tmp_path)

    def test_of_sixteen_bits_are_refused(self, images: Path, tmp_path: Path) -> None:
        Image.fromarray(PICTURES[0].astype(np.uint16) * 256).save(images / PLACES[2][0])
        assert f"{PLACES[2][0]}: more than eight bits" in refused(images, tmp_path)

    @pytest.mark.parametrize("length", [0, 8, 20, 60, 1000])
    def test_that_are_damaged_are_refused(self, images: Path, tmp_path: Path, length: int) -> None:
        path = images / PLACES[2][0]
        path.write_bytes(path.read_bytes()[:length])
        assert f"{path}: no readable JPEG or PNG" in refused(images, tmp_path)

    def test_missing_altogether_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "holds no fer2013.csv" in refused(tmp_path / "empty", tmp_path)


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def tarred(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        archive.add(folder, arcname=".")
    return path


PACKERS = [(zipped, "fer.zip"), (tarred, "fer.tar.gz"), (tarred, "FER.TGZ"), (tarred, "fer.tar")]
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
        monkeypatch.setattr(sources, "MAX_UNPACKED", csv.stat().st_size - 1)
        (tmp_path / "packed").mkdir()
        csv.rename(tmp_path / "packed" / "fer2013.csv")
        assert "refused, for it unpacks to over" in refused(pack(tmp_path / "packed", tmp_path / name), tmp_path)

    def test_of_too_many_files_are_refused(
        self, images: Path, tmp_path: Path, pack: Packer, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sources, "MAX_MEMBERS", 5)
        assert "5 files" in refused(pack(images, tmp_path / name), tmp_path)


ELSEWHERE = ["../evil.csv", "a/../../evil.csv", "/{tmp}/evil.csv", "..\\evil.csv", "C:\\evil.csv"]


class TestCutArchives:
    @pytest.mark.parametrize("name", ["fer.tar", "fer.tar.gz", "fer.zip"])
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


def add_members(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


Answers = dict[str, Path | Exception]


class TestFindSource:
    def test_prefers_params_to_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FER2013_CSV", "/data/environment.csv")
        assert find_source("/data/params.csv") == Path("/data/params.csv")
        assert find_source(None) == Path("/data/environment.csv")

    @pytest.mark.parametrize("unset", [None, ""])
    def test_gives_none_for_kaggle(self, monkeypatch: pytest.MonkeyPatch, unset: str | None) -> None:
        monkeypatch.delenv("FER2013_CSV", raising=False)
        assert find_source(unset) is None

    def test_expands_the_home_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/somebody")
        assert find_source("~/fer2013.csv") == Path("/home/somebody/fer2013.csv")


class TestKaggle:
    """Without a network: only what is asked of kagglehub, and what becomes of its answers."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch, csv: Path) -> Answers:
        """What each of kagglehub's functions gives: a path, or an exception to raise."""
        answers: Answers = {COMPETITION_FILE: csv, PUBLIC_COPY_FILE: csv}

        def answer(_handle: str, path: str) -> str:
            found = answers[path]
            if isinstance(found, Exception):
                raise found
            return str(found)

        monkeypatch.setattr(kagglehub, "competition_download", answer)
        monkeypatch.setattr(kagglehub, "dataset_download", answer)
        return answers

    def test_with_an_account_gives_the_competitions_file(self, asked: Answers, tmp_path: Path) -> None:
        asked[PUBLIC_COPY_FILE] = RuntimeError("not needed")
        assert acquired(None, tmp_path) == CSV

    def test_without_an_account_gives_a_public_copy(self, asked: Answers, tmp_path: Path) -> None:
        asked[COMPETITION_FILE] = kagglehub.exceptions.UnauthenticatedError()
        assert acquired(None, tmp_path) == CSV

    def test_without_a_network_says_what_to_do(self, asked: Answers, tmp_path: Path) -> None:
        asked[COMPETITION_FILE] = kagglehub.exceptions.UnauthenticatedError()
        asked[PUBLIC_COPY_FILE] = ConnectionError("no route to host\nand a long trace")
        message = refused(None, tmp_path)
        assert len(message.splitlines()) == 3
        for said in ("no route to host", "https://www.kaggle.com/c/", "make fer2013 CSV=path", ".tar.gz"):
            assert said in message

    def test_without_kagglehub_says_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "kagglehub", None)
        assert "make fer2013 CSV=path" in refused(None, tmp_path)
