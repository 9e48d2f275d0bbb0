"""What a file is, by its first bytes: a suffix may be missing or wrong."""

import bz2
import gzip
import lzma
import re
import tarfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from fer.data.names import OTHER_PICTURES, PICTURE_SUFFIXES

HEAD = 512  # bytes; a tar's first header
COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
PICTURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM.{4}\x00{4}|RIFF.{4}WEBP|II\*\x00|MM\x00\*|P[1-6]\s|.{4}ftypavi[fs]",
    re.DOTALL,
)
HEIC = re.compile(rb".{4}ftyp(heic|heix|mif1|msf1|heim|heis)", re.DOTALL)
REFUSED = {
    HEIC: "a HEIC picture; convert it to PNG or JPEG",
    re.compile(rb"7z\xbc\xaf\x27\x1c"): "a 7z archive; unpack it",
    re.compile(rb"Rar!\x1a\x07"): "a RAR archive; unpack it",
    re.compile(rb"\x28\xb5\x2f\xfd"): "a Zstandard archive; unpack it",
    re.compile(rb"\x93NUMPY"): "a NumPy file; save its content as CSV",
    re.compile(rb"\x89HDF\r\n\x1a\n"): "an HDF5 file; save its content as CSV",
    re.compile(rb"PAR1"): "a Parquet file; save it as CSV",
    re.compile(rb"\x80[\x02-\x05]"): "a pickle, which is never loaded; save its content as CSV",
    re.compile(rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|docProps/|xl/|mimetypeapplication)", re.DOTALL): (
        "an Excel file; save it as CSV in UTF-8"
    ),
    re.compile(rb"%PDF-"): "a PDF file, not the data",
    re.compile(rb"version https://git-lfs"): "a Git LFS pointer, not the data: run git lfs pull where it came from",
    re.compile(rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)"): (
        "a web page, not the data: sign in and download again"
    ),
}


class Kind(StrEnum):
    """What can be done with a file."""

    zip = "zip"
    tar = "tar"
    compressed = "compressed"  # gzip, bzip2 or xz, of a tar or of a single file
    picture = "picture"
    refused = "refused"  # known by name, not read
    other = "other"  # a CSV, if it is one


def head_of(path: Path) -> bytes:
    """Return the first bytes. Raise OSError."""
    with path.open("rb") as file:
        return file.read(HEAD)


def kind_of(path: Path, head: bytes) -> Kind:
    """Return what a file is, by its first bytes.

    A file that a suffix alone calls a picture is one, a bad one: no dataset may shrink for it.
    """
    called_picture = path.suffix.lower() in (*PICTURE_SUFFIXES, *OTHER_PICTURES)
    if PICTURES.match(head) or HEIC.match(head):
        return Kind.picture
    if refusal(path, head):
        return Kind.picture if called_picture else Kind.refused
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.zip
    if head.startswith(tuple(COMPRESSED)):
        return Kind.compressed
    if is_tar(head):
        return Kind.tar
    return Kind.picture if called_picture else Kind.other


def refusal(path: Path, head: bytes) -> str | None:
    """Return what a file is that is not read, and what to do."""
    found = next((said for pattern, said in REFUSED.items() if pattern.match(head)), None)
    if not found and path.suffix.lower() in OTHER_PICTURES:
        return f"a {path.suffix} picture; convert it to PNG or JPEG"
    return found


def is_tar(head: bytes) -> bool:
    """Whether a tar begins here, by its header's checksum."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def decompress(path: Path) -> IO[bytes]:
    """Open a compressed file's content. Reading raises OSError, EOFError, zlib.error or lzma.LZMAError."""
    head = head_of(path)
    content: IO[bytes] = next(opened(path) for magic, opened in COMPRESSED.items() if head.startswith(magic))
    return content
