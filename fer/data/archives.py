"""Archives -> plain files in a folder: only bytes, so that no link, owner or mode of an archive counts."""

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from fer.data.kinds import HEAD, Kind, decompress, head_of, is_tar, kind_of
from fer.errors import UserError

DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)
OTHER_ERRORS = (OSError, RuntimeError, ValueError)  # a member that needs a password, or whose name cannot be read
MAX_UNPACKED = 4 << 30  # bytes; the competition's files are 1 GB
MAX_MEMBERS = 200_000  # FER2013 as images has 35,887
COPY = 1 << 20

Member = tuple[str, IO[bytes]]  # name, content


class ArchiveError(UserError):
    """An archive that cannot or must not be unpacked."""


def unpack(archive: Path, folder: Path) -> None:
    """Write an archive's files, or a compressed file's content, below `folder`.

    Raise ArchiveError for a damaged archive, one that would write elsewhere, or one that unpacks to too much.
    """
    unpacked = 0
    try:
        for members, (name, content) in enumerate(_members(archive), start=1):
            target = folder / _safe_name(archive, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            unpacked += _copy(content, target, MAX_UNPACKED - unpacked)
            if unpacked > MAX_UNPACKED or members > MAX_MEMBERS:
                limit = f"{MAX_UNPACKED >> 30} GiB or {MAX_MEMBERS} files"
                raise ArchiveError(f"{archive}: refused, for it unpacks to over {limit}")
    except ArchiveError:
        raise
    except DAMAGED as error:
        said = f"{archive}: cannot be unpacked, damaged or cut off: download it again ({first_line(error)})"
        raise ArchiveError(said) from None
    except OTHER_ERRORS as error:
        raise ArchiveError(f"{archive}: cannot be unpacked ({first_line(error)})") from None


def _copy(content: IO[bytes], target: Path, most: int) -> int:
    """Write the content, little more than `most` bytes of it; return how many."""
    with target.open("xb") as file:  # x: two members must not share a name
        while file.tell() <= most and (block := content.read(COPY)):
            file.write(block)
        return file.tell()


def _safe_name(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))  # Windows' zips have backslashes
    if path.is_absolute() or ".." in path.parts or ":" in name or not path.parts:
        raise ArchiveError(f"{archive}: refused, for its member {name!r} would be written elsewhere")
    return path


def _members(archive: Path) -> Iterator[Member]:
    """Yield every file. Raise ArchiveError for links, devices and other such members."""
    kind = kind_of(archive, head_of(archive))
    if kind is Kind.zip:
        yield from _zip_members(archive)
    elif kind is Kind.tar:
        _require_end_of_tar(archive)
        with archive.open("rb") as content:
            yield from _tar_members(archive, content)
    else:
        with decompress(archive) as content:
            yield from _compressed_members(archive, content)


def _compressed_members(archive: Path, content: IO[bytes]) -> Iterator[Member]:
    """Yield a compressed tar's files, else the one file that was compressed, without the last suffix of its name."""
    tar = is_tar(content.read(HEAD))
    content.seek(0)
    if tar:
        yield from _tar_members(archive, content)
        while content.read(COPY):  # to its end: a cut shows only there
            pass
    else:
        yield archive.stem if archive.suffix else f"{archive.name}.csv", content


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the zip was not made on Unix
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError(f"{archive}: refused, for its member {member.filename!r} is no plain file")
            if not member.is_dir() and not member.filename.endswith("\\"):
                with opened.open(member) as content:
                    yield member.filename, content


def _tar_members(archive: Path, content: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=content, mode="r:") as opened:
        for member in opened:
            extracted = opened.extractfile(member) if member.isreg() else None
            if extracted is None and not member.isdir():
                raise ArchiveError(f"{archive}: refused, for its member {member.name!r} is no plain file")
            if extracted is not None:
                with extracted:
                    yield member.name, extracted


def _require_end_of_tar(archive: Path) -> None:
    """Raise where a .tar was cut off between two files, which tarfile takes for its end: a whole one ends in zeros."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1024))
        if any(file.read()):
            raise tarfile.ReadError("it was cut off")


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
