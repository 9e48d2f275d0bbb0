"""The competition's CSV -> the clean store, the rejected rows, near-duplicates, and what all of them add up to."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fer.constants import Emotion, Split
from fer.data.audit import Audit, Auditor, mark_leaks
from fer.data.fer2013 import SPLITS, Chunk, Example, Fer2013Error, Rejected, read_chunks, require_file
from fer.data.near_duplicates import count_near_duplicates, find_near_duplicates, write_near_duplicates
from fer.data.pixels import Reason
from fer.files import atomic_write, sha256_of
from fer.store import Faces, StoreWriter, create_store

ALLOWED = {
    Reason.unreadable_row: "as many fields as the header has, in ASCII; the pixels' spaces are no commas or brackets",
    Reason.unknown_emotion: ", ".join(f"{emotion:d} {emotion.name}" for emotion in Emotion),
    Reason.unknown_usage: ", ".join(Split),
    Reason.invalid_pixel: "whole numbers from 0 to 255 with spaces between them",
    Reason.wrong_pixel_count: "2304 pixels, 48 rows of 48",
    Reason.constant_image: "more than one grey value",
}
FER2013_ROWS = 35_887
FER2013_CLASSES = np.array(  # of each split, in Emotion's order: the competition's file, its 12 constant images too
    [
        [3995, 436, 4097, 7215, 4830, 3171, 4965],
        [467, 56, 496, 895, 653, 415, 607],
        [491, 55, 528, 879, 594, 416, 626],
    ]
)


@dataclass(frozen=True)
class IngestSummary:
    """What became of a CSV's rows. Kept and rejected rows add up to `rows`."""

    source_sha256: str
    rows: int
    kept: dict[Split, int]
    kept_per_class: dict[Split, dict[Emotion, int]]
    rejected: dict[Reason, int]  # every reason, those that never occurred with 0
    examples: dict[Reason, Example]  # the first rejected row of each reason that occurred
    audit: Audit  # of the kept faces
    audit_before_cleaning: Audit  # of these and the constant images
    is_like_fer2013: bool  # False where a file of FER2013's length has other class counts

    def line(self) -> str:
        """Return what ingest did, in one line."""
        kept = ", ".join(f"{count:,} {split}" for split, count in self.kept.items())
        classes = sum((Counter(counts) for counts in self.kept_per_class.values()), Counter())
        named = ", ".join(f"{classes[emotion]:,} {emotion.name}" for emotion in Emotion)
        return f"{self.rows:,} rows; kept {kept}; {named}; rejected {self.reasons() or 'none'}"

    def reasons(self) -> str:
        """Return the rejected rows by reason, each with its first example."""
        return ", ".join(
            f"{self.rejected[reason]:,} {reason} (first in row {row}: {cell})"
            for reason, (row, cell) in sorted(self.examples.items(), key=lambda item: -self.rejected[item[0]])
        )


@dataclass
class _Tally:
    """What is known of the chunks so far."""

    faces: Auditor = field(default_factory=Auditor)
    constant: Auditor = field(default_factory=Auditor)
    kept: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(SPLITS), len(Emotion)), np.int64))
    blank: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(SPLITS), len(Emotion)), np.int64))
    reasons: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, Example] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        self.faces.add(chunk.images, chunk.labels, chunk.usages)
        self.constant.add(chunk.constant.images, chunk.constant.labels, chunk.constant.usages)
        np.add.at(self.kept, (chunk.usages, chunk.labels), 1)
        np.add.at(self.blank, (chunk.constant.usages, chunk.constant.labels), 1)
        self.reasons.update(reason for _, reason in chunk.rejected)
        self.examples = chunk.examples | self.examples

    def summary(self, sha256: str) -> IngestSummary:
        rows = int(self.kept.sum()) + self.reasons.total()
        return IngestSummary(
            source_sha256=sha256,
            rows=rows,
            kept={split: int(counts.sum()) for split, counts in zip(SPLITS, self.kept, strict=True)},
            kept_per_class={
                split: {emotion: int(counts[emotion]) for emotion in Emotion}
                for split, counts in zip(SPLITS, self.kept, strict=True)
            },
            rejected={reason: self.reasons[reason] for reason in Reason},
            examples=self.examples,
            audit=self.faces.audit(),
            audit_before_cleaning=(self.faces + self.constant).audit(),
            is_like_fer2013=rows != FER2013_ROWS or np.array_equal(self.kept + self.blank, FER2013_CLASSES),
        )


def write_clean(csv_path: Path, store: Path, rejected_csv: Path, *, max_rejected: float) -> IngestSummary:
    """Write the kept rows to a store, with their leakage flags, and `row,reason` of the others to a CSV.

    Both files appear when everything has succeeded, else neither.
    Raise Fer2013Error as read_chunks does, where a split keeps no face, and for a share of rejected rows above
    `max_rejected`.
    """
    require_file(csv_path)
    sha256 = sha256_of(csv_path)
    tally = _Tally()
    with (
        atomic_write(rejected_csv) as rejected_path,
        create_store(store, source_sha256=sha256) as writer,
        rejected_path.open("w", encoding="ascii", newline="") as rejected_file,
    ):
        rejected_file.write("row,reason\n")
        for chunk in read_chunks(csv_path):
            _append(writer, chunk)
            _write_rejected(rejected_file, chunk.rejected)
            tally.add(chunk)
        summary = tally.summary(sha256)
        require_sound(csv_path, summary, max_rejected)
        mark_leaks(writer, tally.faces.flags())
    return summary


def require_sound(csv_path: Path, summary: IngestSummary, max_rejected: float) -> None:
    """Raise Fer2013Error for too many rejected rows, or a split that keeps no face."""
    rejected = sum(summary.rejected.values())
    if rejected > max_rejected * summary.rows:
        most = max(summary.rejected, key=lambda reason: summary.rejected[reason])
        raise Fer2013Error(
            f"{csv_path}: {rejected:,} of {summary.rows:,} rows rejected, {rejected / summary.rows:.1%}; "
            f"clean.max_rejected allows {max_rejected:.1%}\n"
            f"{summary.reasons()}\nallowed: {ALLOWED[most]}"
        )
    if empty := [split for split, count in summary.kept.items() if not count]:
        raise Fer2013Error(
            f"{csv_path}: no valid face of {', '.join(empty)} in {summary.rows:,} rows; every split is needed\n"
            "a download that was cut off, or a file with one split alone?"
        )


def ingest(
    csv_path: Path,
    store: Path,
    rejected_csv: Path,
    near_duplicates_csv: Path,
    *,
    near_duplicate_correlation: float,
    max_rejected: float,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Run write_clean, find near-duplicates, say what was done, and return what metrics/data.json holds.

    Raise Fer2013Error.
    """
    summary = write_clean(csv_path, store, rejected_csv, max_rejected=max_rejected)
    report(summary.line())
    if not summary.is_like_fer2013:
        report("warning: as many rows as FER2013 has, but other class counts: are the labels numbered as FER2013's?")
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
