"""The competition's CSV -> arrays, block by block, every row either kept or rejected with a reason.

The file: a header with the columns emotion, pixels and Usage, then one row a face: 0..6, the 2304 grey values from the
top left, row by row, and a split. A row is a line that holds more than spaces; blank lines are no rows and take no
number, wherever they stand. Read as well: columns in another order (icml_face_data.csv) or case, further columns,
semicolons or tabs between them, quotes, trailing commas, a byte order mark, CRLF, whole numbers written as floats.

fer/data/pixels.py reads the pixels' text.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer.constants import Emotion, Split
from fer.data.pixels import Reason, is_printable, pixel_value, read_images
from fer.errors import UserError

BLOCK_BYTES = 8 << 20
MAX_LINE = 64 << 10  # bytes; a row has at most 9,230 when its pixels are separated by single spaces
MAX_ROWS = 4096  # in a chunk; else a block of nothing but tiny broken rows would take a hundred times its size
COLUMNS = ("emotion", "pixels", "Usage")
DELIMITERS = (b",", b";", b"\t")

SPLITS = tuple(Split)
LABELS = {text.encode(): int(emotion) for emotion in Emotion for text in (f"{emotion:d}", f"{emotion:d}.0")}
USAGES = {split.value.encode(): index for index, split in enumerate(SPLITS)}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
FIRST_ROW = re.compile(rb'(\d+[,;\t])?"?\d(\.0)?"?[,;\t] *[\[" ]*\d')
SHOWN = 24  # characters of a bad cell


class Fer2013Error(UserError):
    """A file that is no FER2013 CSV."""


class Rejected(NamedTuple):
    """A row that is not kept, by its number in the file: 0 is the first one after the header."""

    row: int
    reason: Reason


class Example(NamedTuple):
    """The first row that is rejected for a reason, and the text that was at fault."""

    row: int
    cell: str


@dataclass(frozen=True)
class Constant:
    """Sound rows whose image has a single grey value."""

    images: NDArray[np.uint8]  # (M, 48, 48)
    labels: NDArray[np.uint8]  # (M,)
    usages: NDArray[np.uint8]  # (M,)


@dataclass(frozen=True)
class Chunk:
    """The rows of one block of the file, in the file's order."""

    images: NDArray[np.uint8]  # (N, 48, 48)
    labels: NDArray[np.uint8]  # (N,) Emotion integers
    usages: NDArray[np.uint8]  # (N,) indices into tuple(Split)
    rows: NDArray[np.int64]  # (N,)
    rejected: list[Rejected]
    constant: Constant  # those of the rejected that are images, for the audit of the file as it came
    examples: dict[Reason, Example]  # of the rejected, the first of each reason


class Layout(NamedTuple):
    """Where the columns stand."""

    emotion: int
    pixels: int
    usage: int
    width: int = len(COLUMNS)
    delimiter: bytes = b","


class _Row(NamedTuple):
    """A row whose label and split are known and whose pixels are still text."""

    number: int
    label: int
    usage: int
    pixels: bytes


def read_chunks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Chunk]:
    """Yield the rows of a CSV, about `block_bytes` of it at a time; the results do not depend on where blocks end.

    Memory is bounded by the block, however long the file or a line in it is.
    Raise Fer2013Error if the path is no file, the file is empty or its first line is not FER2013's header.
    """
    require_file(path)
    with path.open("rb") as file:
        layout = read_header(path, file)
        row = 0
        for lines in read_lines(file, block_bytes):
            for start in range(0, len(lines), MAX_ROWS):
                chunk = lines[start : start + MAX_ROWS]
                yield _parse_lines(chunk, layout, row)
                row += len(chunk)


def read_labels(path: Path) -> Iterator[tuple[int | None, str]]:
    """Yield each row's label, None for what is none, and its Usage as it stands. Raise Fer2013Error."""
    with path.open("rb") as file:
        layout = read_header(path, file)
        for lines in read_lines(file, BLOCK_BYTES):
            for line in lines:
                fields = split_line(line, layout)
                emotion, usage = (fields[layout.emotion], fields[layout.usage]) if fields else (b"", b"")
                yield LABELS.get(unquoted(emotion)), unquoted(usage).decode("ascii", "replace")


def require_file(path: Path) -> None:
    """Raise Fer2013Error unless the path is a file that can be read."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise Fer2013Error(f"{path}: {found}; expected a FER2013 CSV")
    if not os.access(path, os.R_OK):
        raise Fer2013Error(f"{path}: no permission to read it")


def read_header(path: Path, file: BinaryIO) -> Layout:
    """Read the first line. Raise Fer2013Error, in the name of `path`, if it is not FER2013's header."""
    first = file.readline(MAX_LINE)
    layout = layout_of(first)
    if layout is None:
        raise Fer2013Error(f"{path}: {_what_is_wrong(first)}")
    return layout


def layout_of(first: bytes) -> Layout | None:
    """Return where a header's columns stand, or None for a line that is no header of FER2013."""
    for delimiter in DELIMITERS:
        names = _names(first, delimiter)
        if all(names.count(column.lower()) == 1 for column in COLUMNS) and len(first) < MAX_LINE:
            emotion, pixels, usage = (names.index(column.lower()) for column in COLUMNS)
            return Layout(emotion, pixels, usage, len(names), delimiter)
    return None


def _names(first: bytes, delimiter: bytes) -> list[str]:
    """Return the header's names in lower case, without those that are empty at its end."""
    line = first.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n" + delimiter + b" ")
    return [unquoted(name).decode("ascii", "replace").lower() for name in line.split(delimiter)]


def _what_is_wrong(first: bytes) -> str:
    header = ",".join(COLUMNS)
    forms = (
        (not first, "empty"),
        (first.startswith(UTF16_MARKS), "UTF-16, as Excel saves Unicode text: save it as CSV in UTF-8"),
        (b"\r" in first.rstrip(b"\r\n"), "its lines end in CR alone: save it with LF or CRLF"),
        (FIRST_ROW.match(first), f"no header: its first line is a row already; put {header} above it"),
    )
    if form := next((said for is_so, said in forms if is_so), None):
        return form
    names = max((_names(first, delimiter) for delimiter in DELIMITERS), key=len)
    if "pixels" not in names:
        return f"not a FER2013 CSV: it begins with {first[:60]!r}\nexpected the header {header}, in any order"
    if "usage" not in names:
        return (
            "has no Usage (which face is of which split), as the competition's train.csv and test.csv\n"
            "the same download holds icml_face_data.csv, which has all"
        )
    return f"expected each of {header} once in its header, not {', '.join(names)}"


def read_lines(file: BinaryIO, block_bytes: int) -> Iterator[list[bytes]]:
    """Yield whole lines that are not blank, without their LF; one over MAX_LINE is cut, but stays over it."""
    rest = b""
    while block := file.read(block_bytes):
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()[: MAX_LINE + 1]
        yield [line for line in lines if not _is_blank(line)]
    if not _is_blank(rest):
        yield [rest]


def split_line(line: bytes, layout: Layout) -> list[bytes] | None:
    """Return the line's fields, as many as the header has, or None; empty ones at the end are no more than commas."""
    if len(line) > MAX_LINE:
        return None
    fields = line.removesuffix(b"\r").split(layout.delimiter)
    while len(fields) > layout.width and not fields[-1].strip(b" "):
        fields.pop()
    return fields if len(fields) == layout.width else None


def unquoted(field: bytes) -> bytes:
    field = field.strip(b" ")
    quoted = len(field) > 1 and field.startswith(b'"') and field.endswith(b'"')
    return field[1:-1].strip(b" ") if quoted else field


def _is_blank(line: bytes) -> bool:
    return len(line) <= MAX_LINE and not line.strip(b" \r")


def _parse_lines(lines: list[bytes], layout: Layout, first_row: int) -> Chunk:
    rows: list[_Row] = []
    rejected: list[Rejected] = []
    for number, line in enumerate(lines, first_row):
        row = _read_row(number, line, layout)
        if isinstance(row, _Row):
            rows.append(row)
        else:
            rejected.append(row)
    images, reasons = read_images([row.pixels for row in rows])
    rejected += [Rejected(rows[index].number, reason) for index, reason in reasons.items()]
    rejected.sort()
    labels = np.array([row.label for row in rows], np.uint8)
    usages = np.array([row.usage for row in rows], np.uint8)
    kept = [index for index in range(len(rows)) if index not in reasons]
    constant = [index for index, reason in reasons.items() if reason is Reason.constant_image]
    firsts = {reason: row for row, reason in reversed(rejected)}
    return Chunk(
        images=images[kept],
        labels=labels[kept],
        usages=usages[kept],
        rows=np.array([rows[index].number for index in kept], np.int64),
        rejected=rejected,
        constant=Constant(images[constant], labels[constant], usages[constant]),
        examples={
            reason: Example(row, bad_cell(lines[row - first_row], layout, reason)) for reason, row in firsts.items()
        },
    )


def _read_row(number: int, line: bytes, layout: Layout) -> _Row | Rejected:
    """Return everything but the pixels, which are left as they stand."""
    fields = split_line(line, layout)
    if fields is None:
        return Rejected(number, Reason.unreadable_row)
    emotion, pixels, usage = (unquoted(fields[column]) for column in layout[:3])
    if emotion in LABELS and usage in USAGES:
        return _Row(number, LABELS[emotion], USAGES[usage], pixels)
    if not all(map(is_printable, (emotion, pixels, usage))):
        return Rejected(number, Reason.unreadable_row)
    return Rejected(number, Reason.unknown_usage if emotion in LABELS else Reason.unknown_emotion)


def bad_cell(line: bytes, layout: Layout, reason: Reason) -> str:
    """Return the part of a rejected line that is at fault, as short text."""
    fields = split_line(line, layout)
    if fields is None or reason is Reason.unreadable_row:
        return _shown(line)
    emotion, pixels, usage = (unquoted(fields[column]) for column in layout[:3])
    tokens = pixels.split()
    if reason is Reason.invalid_pixel:
        return _shown(next(token for token in tokens if pixel_value(token) is None))
    if reason is Reason.wrong_pixel_count:
        return f"{len(tokens)} pixels"
    return _shown({Reason.unknown_emotion: emotion, Reason.unknown_usage: usage}.get(reason, pixels))


def _shown(text: bytes) -> str:
    return repr(text[:SHOWN].decode("ascii", "replace")) + "..." * (len(text) > SHOWN)
