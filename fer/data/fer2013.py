"""The competition's CSV -> arrays, block by block, every row either kept or rejected with a reason.

The file: a header with the columns emotion, pixels and Usage in any order (fer2013.csv and icml_face_data.csv
differ in it), then one row a face: 0..6, the 2304 grey values from the top left, row by row, and a split.
A row is a line that holds more than spaces; blank lines are no rows and take no number, wherever they stand.
A line ends in LF or CRLF, the last one may end with the file, and a field may stand in double quotes.

fer/data/pixels.py reads the pixels' text.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from fer.data.audit import Audit, Auditor, mark_leaks
from fer.data.near_duplicates import count_near_duplicates, find_near_duplicates, write_near_duplicates
from fer.data.pixels import Reason, is_printable, read_images
from fer.data.store import Faces, StoreWriter, create_store
from fer.emotions import Emotion, Split
from fer.errors import UserError
from fer.files import replacing, sha256_of

BLOCK_BYTES = 8 << 20
MAX_LINE = 64 << 10  # bytes; a row has at most 9,230 when its pixels are separated by single spaces
MAX_ROWS = 4096  # in a chunk; else a block of nothing but tiny broken rows would take a hundred times its size
COLUMNS = ("emotion", "pixels", "Usage")

SPLITS = tuple(Split)
LABELS = {str(int(emotion)).encode(): int(emotion) for emotion in Emotion}
USAGES = {split.value.encode(): index for index, split in enumerate(SPLITS)}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Fer2013Error(UserError):
    """A file that is no FER2013 CSV."""


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


def ingest(
    csv_path: Path, store: Path, rejected_csv: Path, near_duplicates_csv: Path, *, near_duplicate_correlation: float
) -> dict[str, Any]:
    """write_clean, the near-duplicates, and both summed up as metrics/{dataset}/data.json is. Raises Fer2013Error."""
    summary = write_clean(csv_path, store, rejected_csv)
    pairs = find_near_duplicates(store, correlation=near_duplicate_correlation)
    write_near_duplicates(near_duplicates_csv, pairs)
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
        "near_duplicates": {"correlation": near_duplicate_correlation} | count_near_duplicates(pairs),
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
    images, reasons = read_images([row.pixels for row in rows])
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
    if not all(map(is_printable, (emotion, pixels, usage))):
        return Rejected(number, Reason.unreadable_row)
    return Rejected(number, Reason.unknown_usage if emotion in LABELS else Reason.unknown_emotion)


def _unquoted(field: bytes) -> bytes:
    field = field.strip(b" ")
    quoted = len(field) > 1 and field.startswith(b'"') and field.endswith(b'"')
    return field[1:-1].strip(b" ") if quoted else field


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
