"""The competition's CSV -> arrays, block by block, every row either kept or rejected with a reason.

The file: a header with the columns emotion, pixels and Usage in any order (fer2013.csv and icml_face_data.csv
differ in it), then one row a face: 0..6, the 2304 grey values from the top left, row by row, and a split.
A row is a line that holds more than spaces; blank lines are no rows and take no number, wherever they stand.
A line ends in LF or CRLF, the last one may end with the file, and a field may stand in double quotes.

The pixels are parsed by arithmetic on batches of rows; a batch that is not flawless is read again row by row,
by code that says what a flawless row is. After report 002, images of a single grey value are rejected.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from fer.data.audit import Audit, Auditor, mark_leaks
from fer.data.store import Faces, StoreWriter, create_store
from fer.emotions import IMAGE_SIZE, PIXELS, Emotion, Split
from fer.errors import UserError
from fer.files import replacing, sha256_of

BLOCK_BYTES = 8 << 20
MAX_LINE = 64 << 10  # bytes; a row has at most 9,230 when its pixels are separated by single spaces
NEWLINE = np.uint16(65535)
MAX_ROWS = 4096  # in a chunk; else a block of nothing but tiny broken rows would take a hundred times its size
BATCH = 32  # rows parsed at once: 270 kB of text, so that the temporary arrays stay in the processor's cache
COLUMNS = ("emotion", "pixels", "Usage")

SPLITS = tuple(Split)
LABELS = {str(int(emotion)).encode(): int(emotion) for emotion in Emotion}
USAGES = {split.value.encode(): index for index, split in enumerate(SPLITS)}
PIXEL_VALUES = {f"{value:0{width}}".encode(): value for value in range(256) for width in (1, 2, 3)}
PRINTABLE = bytes(range(0x20, 0x7F))
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Fer2013Error(UserError):
    """A file that is no FER2013 CSV."""


class Reason(StrEnum):
    """Why a row is rejected. Of several, the first in this order is given."""

    unreadable_row = "unreadable_row"  # not three fields, a byte that is not printable ASCII, over MAX_LINE
    unknown_emotion = "unknown_emotion"
    unknown_usage = "unknown_usage"
    invalid_pixel = "invalid_pixel"  # not one to three digits, or above 255
    wrong_pixel_count = "wrong_pixel_count"
    constant_image = "constant_image"


class Rejected(NamedTuple):
    """A row that is not kept, by its number in the file: 0 is the first one after the header."""

    row: int
    reason: Reason


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


@dataclass(frozen=True)
class IngestSummary:
    """What became of a CSV's rows. Kept and rejected rows add up to `rows`."""

    source_sha256: str
    rows: int
    kept: dict[Split, int]
    kept_per_class: dict[Split, dict[Emotion, int]]
    rejected: dict[Reason, int]  # every reason, those that never occurred with 0
    audit: Audit  # of the kept faces
    audit_before_cleaning: Audit  # of these and the constant images


class Layout(NamedTuple):
    """Where the columns stand."""

    emotion: int
    pixels: int
    usage: int


class _Row(NamedTuple):
    """A row whose label and split are known and whose pixels are still text."""

    number: int
    label: int
    usage: int
    pixels: bytes


def read_chunks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Chunk]:
    """The rows of a CSV, about `block_bytes` of it at a time; the results do not depend on where blocks end.

    Memory is bounded by the block, however long the file or a line in it is.
    Raises Fer2013Error if the path is no file, the file is empty or its first line is not FER2013's header.
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


def require_file(path: Path) -> None:
    """Raises Fer2013Error unless the path is a file that can be read."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise Fer2013Error(f"{path}: {found}; expected a FER2013 CSV")
    if not os.access(path, os.R_OK):
        raise Fer2013Error(f"{path}: no permission to read it")


def read_header(path: Path, file: BinaryIO) -> Layout:
    """Reads the first line. Raises Fer2013Error, in the name of `path`, if it is not FER2013's header."""
    first = file.readline(MAX_LINE)
    if not first:
        raise Fer2013Error(f"{path}: empty; expected a FER2013 CSV with the columns {', '.join(COLUMNS)}")
    names = [_unquoted(name) for name in first.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n").split(b",")]
    wanted = [column.encode() for column in COLUMNS]
    if sorted(names) != sorted(wanted) or len(first) == MAX_LINE:
        kind = "UTF-16, not UTF-8 or ASCII" if first.startswith(UTF16_MARKS) else "not a FER2013 CSV"
        raise Fer2013Error(
            f"{path}: {kind}: it begins with {first[:60]!r}\n"
            f"expected the header of fer2013.csv or icml_face_data.csv: the columns {', '.join(COLUMNS)}"
        )
    return Layout(*(names.index(column) for column in wanted))


def read_lines(file: BinaryIO, block_bytes: int) -> Iterator[list[bytes]]:
    """Whole lines that are not blank, without their LF; one over MAX_LINE is cut, but stays over it."""
    rest = b""
    while block := file.read(block_bytes):
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()[: MAX_LINE + 1]
        yield [line for line in lines if not _is_blank(line)]
    if not _is_blank(rest):
        yield [rest]


def write_clean(csv_path: Path, store: Path, rejected_csv: Path) -> IngestSummary:
    """Writes the kept rows to a store, with their leakage flags, and `row,reason` of the others to a CSV.

    Both files appear when everything has succeeded, else neither.
    Raises Fer2013Error as read_chunks does, and when no row is kept.
    """
    require_file(csv_path)
    sha256 = sha256_of(csv_path)
    faces, constant = Auditor(), Auditor()
    kept = np.zeros((len(SPLITS), len(Emotion)), np.int64)
    reasons: Counter[Reason] = Counter()
    with (
        replacing(rejected_csv) as rejected_path,
        create_store(store, source_sha256=sha256) as writer,
        rejected_path.open("w", encoding="ascii", newline="") as rejected_file,
    ):
        rejected_file.write("row,reason\n")
        for chunk in read_chunks(csv_path):
            _append(writer, chunk)
            faces.add(chunk.images, chunk.labels, chunk.usages)
            constant.add(chunk.constant.images, chunk.constant.labels, chunk.constant.usages)
            np.add.at(kept, (chunk.usages, chunk.labels), 1)
            _write_rejected(rejected_file, chunk.rejected)
            reasons.update(reason for _, reason in chunk.rejected)
        if not kept.any():
            found = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            raise Fer2013Error(f"{csv_path}: holds no valid face (rows: {found or 'none'})")
        mark_leaks(writer, faces.flags())
    return _summary(sha256, kept, reasons, faces.audit(), (faces + constant).audit())


def ingest(csv_path: Path, store: Path, rejected_csv: Path) -> dict[str, Any]:
    """write_clean, and its summary as metrics/{dataset}/data.json holds it. Raises Fer2013Error."""
    summary = write_clean(csv_path, store, rejected_csv)
    return {
        "source_sha256": summary.source_sha256,
        "rows": summary.rows,
        "kept": {str(split): count for split, count in summary.kept.items()},
        "class_counts": {
            str(split): {emotion.name: count for emotion, count in counts.items()}
            for split, counts in summary.kept_per_class.items()
        },
        "rejected": {str(reason): count for reason, count in summary.rejected.items()},
        "audit": summary.audit.as_dict(),
        "audit_before_cleaning": summary.audit_before_cleaning.as_dict(),
    }


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
    images, reasons = _read_images([row.pixels for row in rows])
    rejected += [Rejected(rows[index].number, reason) for index, reason in reasons.items()]
    labels = np.array([row.label for row in rows], np.uint8)
    usages = np.array([row.usage for row in rows], np.uint8)
    kept = [index for index in range(len(rows)) if index not in reasons]
    constant = [index for index, reason in reasons.items() if reason is Reason.constant_image]
    return Chunk(
        images=images[kept],
        labels=labels[kept],
        usages=usages[kept],
        rows=np.array([rows[index].number for index in kept], np.int64),
        rejected=sorted(rejected),
        constant=Constant(images[constant], labels[constant], usages[constant]),
    )


def _read_row(number: int, line: bytes, layout: Layout) -> _Row | Rejected:
    """Everything but the pixels, which are left as they stand."""
    fields = line.removesuffix(b"\r").split(b",")
    if len(fields) != len(layout) or len(line) > MAX_LINE:
        return Rejected(number, Reason.unreadable_row)
    emotion, pixels, usage = (_unquoted(fields[column]) for column in layout)
    if emotion in LABELS and usage in USAGES:
        return _Row(number, LABELS[emotion], USAGES[usage], pixels)
    if not all(map(_is_printable, (emotion, pixels, usage))):
        return Rejected(number, Reason.unreadable_row)
    return Rejected(number, Reason.unknown_usage if emotion in LABELS else Reason.unknown_emotion)


def _unquoted(field: bytes) -> bytes:
    field = field.strip(b" ")
    quoted = len(field) > 1 and field.startswith(b'"') and field.endswith(b'"')
    return field[1:-1].strip(b" ") if quoted else field


def _is_printable(field: bytes) -> bool:
    return not field.translate(None, delete=PRINTABLE)


def _read_images(fields: list[bytes]) -> tuple[NDArray[np.uint8], dict[int, Reason]]:
    """Images (N, 48, 48), and by index the reason of each that is to be rejected."""
    images = np.zeros((len(fields), PIXELS), np.uint8)
    reasons: dict[int, Reason] = {}
    for start in range(0, len(fields), BATCH):
        batch = fields[start : start + BATCH]
        parsed = parse_batch(batch)
        if parsed is not None:
            images[start : start + BATCH] = parsed
            continue
        for index, field in enumerate(batch, start):
            alone = parse_batch([field])
            image = parse_row(field) if alone is None else alone[0]
            if isinstance(image, Reason):
                reasons[index] = image
            else:
                images[index] = image
    constant = (images == images[:, :1]).all(axis=1)
    reasons |= {int(i): Reason.constant_image for i in np.flatnonzero(constant) if int(i) not in reasons}
    return images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), reasons


def parse_row(field: bytes) -> NDArray[np.uint8] | Reason:
    """The 2304 pixels of one row's text, or what is wrong with it; parse_batch has to agree with this."""
    values = [PIXEL_VALUES.get(token) for token in field.split(b" ") if token]
    if None in values:
        return Reason.invalid_pixel if _is_printable(field) else Reason.unreadable_row
    if len(values) != PIXELS:
        return Reason.wrong_pixel_count
    return np.array(values, np.uint8)


def parse_batch(fields: list[bytes]) -> NDArray[np.uint8] | None:
    """The pixels (N, 2304) of N rows' text, or None if parse_row would reject one of them.

    Each row's newline is taken as a number too large for a pixel: every row has 2304 pixels exactly if all of
    these land in the last column, so that none is found among the pixels.
    """
    text = np.frombuffer(b"  " + b"\n".join(fields) + b"\n", np.uint8)
    digits = text - np.uint8(ord("0"))  # wraps around: whatever is no digit is above 9
    is_digit = digits <= 9
    known = np.count_nonzero(is_digit) + np.count_nonzero(text == ord(" ")) + len(fields)
    pairs = is_digit[1:] & is_digit[:-1]
    if known != len(text) or (pairs[2:] & pairs[:-2]).any():  # an unknown byte, or four digits in a row
        return None
    values, ends = _values(digits * is_digit, is_digit), is_digit[2:] > np.append(is_digit[3:], False)
    newlines = np.cumsum([len(field) + 1 for field in fields]) - 1
    values[newlines], ends[newlines] = NEWLINE, True
    numbers = values.take(np.flatnonzero(ends))  # three times as fast as values[ends]
    if numbers.size != len(fields) * (PIXELS + 1):
        return None
    pixels = numbers.reshape(len(fields), PIXELS + 1)[:, :PIXELS]
    return pixels.astype(np.uint8) if pixels.max() <= 255 else None


def _values(digits: NDArray[np.uint8], is_digit: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """At each byte from the third on, the number of up to three digits ending there: (B,) to (B - 2,)."""
    values = digits[2:].astype(np.uint16)
    values += digits[1:-1] * np.uint8(10)
    values += (digits[:-2] * is_digit[1:-1]) * np.uint16(100)
    return values


def _append(writer: StoreWriter, chunk: Chunk) -> None:
    for index, split in enumerate(SPLITS):
        chosen = chunk.usages == index
        unknown = np.zeros(np.count_nonzero(chosen), np.bool_)
        faces = Faces(
            images=chunk.images[chosen],
            labels=chunk.labels[chosen],
            rows=chunk.rows[chosen],
            in_training=unknown,
            in_public_test=unknown,
        )
        if len(faces):
            writer.append(split, faces)


def _write_rejected(file: TextIO, rejected: list[Rejected]) -> None:
    csv.writer(file, lineterminator="\n").writerows(rejected)


def _summary(
    sha256: str, kept: NDArray[np.int64], reasons: Counter[Reason], audit: Audit, before_cleaning: Audit
) -> IngestSummary:
    return IngestSummary(
        source_sha256=sha256,
        rows=int(kept.sum()) + reasons.total(),
        kept={split: int(counts.sum()) for split, counts in zip(SPLITS, kept, strict=True)},
        kept_per_class={
            split: {emotion: int(counts[emotion]) for emotion in Emotion}
            for split, counts in zip(SPLITS, kept, strict=True)
        },
        rejected={reason: reasons[reason] for reason in Reason},
        audit=audit,
        audit_before_cleaning=before_cleaning,
    )
