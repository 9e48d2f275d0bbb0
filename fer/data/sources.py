"""Where the FER2013 CSV comes from: a CSV, a folder of images, an archive of either, or Kaggle.

All of them end in the same file, the competition's `emotion,pixels,Usage`. The CSVs hold the competition's
exact pixels; images that were saved as JPEG have lost a little.
"""

import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from PIL import Image

from fer.data.fer2013 import COLUMNS, MAX_LINE, Fer2013Error, Layout, read_header, read_lines, require_file
from fer.emotions import IMAGE_SIZE, Emotion, Split
from fer.errors import UserError
from fer.files import replacing

COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"
COMPETITION_FILE = "icml_face_data.csv"
PUBLIC_COPY, PUBLIC_COPY_FILE = "deadskull7/fer2013", "fer2013.csv"
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
HEADER = ",".join(COLUMNS).encode()
BLOCK_BYTES = 8 << 20

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
UNPACK_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's for a member that needs a password
)
MAX_UNPACKED = 4 << 30  # bytes; the competition's files are 1 GB
MAX_MEMBERS = 200_000  # FER2013 as images has 35,887
MAX_NESTING = 2  # the competition's zip holds a fer2013.tar.gz

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
IMAGE_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # eight bits a channel at most: none loses grey values
EMOTION_FOLDERS = {emotion.name: emotion for emotion in Emotion} | {
    "angry": Emotion.anger,
    "disgusted": Emotion.disgust,
    "fearful": Emotion.fear,
    "happiness": Emotion.happy,
    "sadness": Emotion.sad,
    "surprised": Emotion.surprise,
}
SPLIT_FOLDERS = {split.value.lower(): split for split in Split} | {"train": Split.training}
ENVIRONMENT = "FER2013_CSV"
PIXEL_TEXTS = [str(value) for value in range(256)]
SPLITS = tuple(Split)


class SourceError(UserError):
    """A source from which no FER2013 CSV can be made; the message names the file and what to do."""


@dataclass(frozen=True)
class _ImageFile:
    path: Path
    emotion: Emotion
    split: Split

    @property
    def order(self) -> tuple[int, int, int, str]:
        """By split, then by the number that ends the file name: it does not depend on the file system."""
        number = re.search(r"\d+$", self.path.stem)
        return SPLITS.index(self.split), int(number[0]) if number else -1, self.emotion, str(self.path)


def acquire_fer2013(source: Path | None, out: Path) -> None:
    """Writes the competition's CSV, `emotion,pixels,Usage`, to `out`; it appears whole or not at all.

    `source` is fer2013.csv, icml_face_data.csv, a folder of images such as train/angry/Training_123.jpg and
    test/angry/PublicTest_123.jpg, or a .zip, .tar.gz, .tgz or .tar of one of these. With None the exact
    pixels are fetched from Kaggle: the competition's file with an account, else a public copy.
    Raises SourceError or Fer2013Error, both UserErrors.
    """
    _acquire(_download() if source is None else source, out, nesting=0)


def _acquire(source: Path, out: Path, nesting: int) -> None:
    if source.is_dir():
        _acquire_folder(source, out, nesting)
    elif not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    elif not source.name.lower().endswith(ARCHIVES):
        _acquire_csv(source, out)
    elif nesting == MAX_NESTING:
        raise SourceError(f"{source.name}: an archive in an archive in an archive; unpack it first")
    else:
        _acquire_archive(source, out, nesting + 1)


def _acquire_archive(source: Path, out: Path, nesting: int) -> None:
    with tempfile.TemporaryDirectory(prefix="fer2013-") as folder:
        try:
            _unpack(source, Path(folder))
            _acquire_folder(Path(folder), out, nesting)
        except (SourceError, Fer2013Error) as error:
            # The folder is gone when the message is read: the member's place in the archive is not.
            raise SourceError(str(error).replace(folder, str(source))) from None


def _acquire_folder(folder: Path, out: Path, nesting: int) -> None:
    """A CSV if the folder holds one, else images, else an archive."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_clutter(path, folder))
    for name in CSV_NAMES:
        if found := [path for path in files if path.name.lower() == name]:
            return _acquire_csv(found[0], out)
    if images := [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]:
        return _acquire_images(images, folder, out)
    if archives := [path for path in files if path.name.lower().endswith(ARCHIVES)]:
        return _acquire(archives[0], out, nesting)
    raise SourceError(
        f"{folder}: holds no {' or '.join(CSV_NAMES)} and no .jpg or .png images\n"
        "expected one of these, or images as in train/angry/Training_123.jpg"
    )


def _is_clutter(path: Path, folder: Path) -> bool:
    """What macOS and file managers add."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts)


def _acquire_csv(source: Path, out: Path) -> None:
    require_file(source)
    with source.open("rb") as file, replacing(out) as temporary:
        layout = read_header(source, file)
        with temporary.open("wb") as target:
            if _has_canonical_header(file):
                # A hard link would save the copy, but DVC makes its cache read-only: the user's file too.
                shutil.copyfileobj(file, target, BLOCK_BYTES)
                return
            target.write(HEADER + b"\n")
            for lines in read_lines(file, BLOCK_BYTES):
                target.writelines(_canonical_row(line, layout) for line in lines)


def _has_canonical_header(file: BinaryIO) -> bool:
    """Leaves the file at its beginning if the header is the competition's to the byte, else after it."""
    file.seek(0)
    if file.readline(MAX_LINE).rstrip(b"\r\n") != HEADER:
        return False
    file.seek(0)
    return True


def _canonical_row(line: bytes, layout: Layout) -> bytes:
    """The columns in the competition's order; a line that is no row stays as it is, for ingest to reject."""
    fields = line.removesuffix(b"\r").split(b",")
    if len(fields) != len(layout) or len(line) > MAX_LINE:
        return line + b"\n"
    return b",".join(fields[column].strip(b" ") for column in layout) + b"\n"


def _acquire_images(paths: list[Path], folder: Path, out: Path) -> None:
    images = sorted((_classify(path, folder) for path in paths), key=lambda image: image.order)
    with replacing(out) as temporary, temporary.open("w", encoding="ascii", newline="\n") as target:
        target.write(f"{HEADER.decode()}\n")
        for image in images:
            pixels = " ".join([PIXEL_TEXTS[value] for value in _read_pixels(image.path)])
            target.write(f"{int(image.emotion)},{pixels},{image.split.value}\n")


def _classify(path: Path, folder: Path) -> _ImageFile:
    """The emotion from the folder's name; the split from the file's prefix, else from a folder train."""
    emotion = EMOTION_FOLDERS.get(path.parent.name.lower())
    if emotion is None:
        known = ", ".join(EMOTION_FOLDERS)
        raise SourceError(f"{path}: its folder is no emotion\nexpected one of {known}")
    prefix = path.stem.partition("_")[0].lower()
    names = [prefix, *(part.lower() for part in reversed(path.relative_to(folder).parts[:-2]))]
    split = next((SPLIT_FOLDERS[name] for name in names if name in SPLIT_FOLDERS), None)
    if split is None:
        raise SourceError(
            f"{path}: no telling whether it is of PublicTest or PrivateTest, which must not be mixed\n"
            "expected a file name such as PublicTest_123.jpg, or a folder train"
        )
    return _ImageFile(path, emotion, split)


def _read_pixels(path: Path) -> bytes:
    """The 2304 grey values. Raises SourceError for whatever is no 48x48 image of at most eight bits."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            if image.size != (IMAGE_SIZE, IMAGE_SIZE):
                width, height = image.size
                raise SourceError(f"{path}: {width}x{height} pixels, expected {IMAGE_SIZE}x{IMAGE_SIZE}")
            if image.mode not in IMAGE_MODES:
                raise SourceError(f"{path}: more than eight bits a pixel (mode {image.mode})")
            return image.convert("L").tobytes()
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path}: no readable JPEG or PNG image ({error})") from None


def _unpack(archive: Path, folder: Path) -> None:
    """Writes an archive's files below `folder`: only bytes, so that no link, owner or mode of it counts."""
    unpacked, members = 0, 0
    try:
        for name, size, content in _members(archive):
            unpacked, members = unpacked + size, members + 1
            if unpacked > MAX_UNPACKED or members > MAX_MEMBERS:
                limit = f"{MAX_UNPACKED >> 30} GiB or {MAX_MEMBERS} files"
                raise SourceError(f"{archive}: refused, for it unpacks to over {limit}")
            target = folder / _safe_name(archive, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
    except UNPACK_ERRORS as error:
        raise SourceError(f"{archive}: cannot be unpacked ({_first_line(error)})") from None


def _safe_name(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise SourceError(f"{archive}: refused, for its member {name!r} would be written elsewhere")
    return path


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, size and content of every file. Raises SourceError for links, devices and other such members."""
    if archive.name.lower().endswith(".zip"):
        yield from _zip_members(archive)
    else:
        yield from _tar_members(archive)


def _zip_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the zip was not made on Unix
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise SourceError(f"{archive}: refused, for its member {member.filename!r} is no plain file")
            if not member.is_dir():
                with opened.open(member) as content:
                    yield member.filename, member.file_size, content


def _tar_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    compressed = not archive.name.lower().endswith(".tar")
    if not compressed:
        _require_end_of_tar(archive)
    with tarfile.open(archive, "r:gz" if compressed else "r:") as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isreg() else None
            if content is None and not member.isdir():
                raise SourceError(f"{archive}: refused, for its member {member.name!r} is no plain file")
            if content is not None:
                with content:
                    yield member.name, member.size, content


def _require_end_of_tar(archive: Path) -> None:
    """tarfile takes a .tar that was cut off between two files for a whole one; a whole one ends in zeros."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1024))
        if any(file.read()):
            raise tarfile.ReadError("it was cut off")


def _download() -> Path:
    """The path of a CSV with the competition's exact pixels: with an account its own, else a public copy."""
    try:
        import kagglehub  # noqa: PLC0415 - half a second, needed once

        try:
            return Path(kagglehub.competition_download(COMPETITION, COMPETITION_FILE))
        except Exception:  # without an account, or one that has not accepted the competition's rules
            return Path(kagglehub.dataset_download(PUBLIC_COPY, PUBLIC_COPY_FILE))
    except Exception as error:  # kagglehub lets through whatever its HTTP library raises
        raise SourceError(
            f"FER2013 could not be downloaded from Kaggle: {_first_line(error)}\n"
            f"get {COMPETITION_FILE} or fer2013.csv from https://www.kaggle.com/c/{COMPETITION}/data\n"
            "and run `make fer2013 CSV=path`; path may be the CSV, the folder of images, or a .zip or .tar.gz"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def find_source(path: str | None) -> Path | None:
    """params.yaml's path, else the environment's FER2013_CSV, else None, which stands for Kaggle."""
    found = path or os.environ.get(ENVIRONMENT)
    return Path(found).expanduser() if found else None
