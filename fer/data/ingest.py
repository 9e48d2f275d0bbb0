"""The competition's CSV -> the clean store, the rejected rows, near-duplicates, and what all of them add up to."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer.constants import EMOTION_NAMES, Emotion, Split
from fer.data.audit import audit, flags, seen
from fer.data.fer2013 import SPLITS, Chunk, Example, Fer2013Error, read_chunks, require_file
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
FER2013_CLASSES = [  # of each split, in Emotion's order: the competition's file, its 12 constant images too
    [3995, 436, 4097, 7215, 4830, 3171, 4965],
    [467, 56, 496, 895, 653, 415, 607],
    [491, 55, 528, 879, 594, 416, 626],
]
NO_FACES = np.empty((3, 0), np.uint8)


@dataclass(frozen=True)
class IngestSummary:
    """What became of a CSV's rows."""

    content: dict[str, Any]  # what metrics/data.json holds, but for the near-duplicates
    examples: dict[Reason, Example]  # the first rejected row of each reason that occurred
    is_like_fer2013: bool  # False where a file of FER2013's length has other class counts

    def line(self) -> str:
        """Return what ingest did, in one line."""
        kept = ", ".join(f"{count:,} {split}" for split, count in self.content["kept"].items())
        classes = sum(map(Counter, self.content["class_counts"].values()), Counter[str]())
        named = ", ".join(f"{classes[name]:,} {name}" for name in EMOTION_NAMES)
        return f"{self.content['rows']:,} rows; kept {kept}; {named}; rejected {self.reasons() or 'none'}"

    def reasons(self) -> str:
        """Return the rejected rows by reason, each with its first example."""
        rejected = self.content["rejected"]
        return ", ".join(
            f"{rejected[reason]:,} {reason} (first in row {row}: {cell})"
            for reason, (row, cell) in sorted(self.examples.items(), key=lambda item: -rejected[item[0]])
        )


def summarise(
    sha256: str, faces: pd.DataFrame, reasons: Counter[Reason], examples: dict[Reason, Example]
) -> IngestSummary:
    """Return what the faces, constant ones among them, and the rejected rows add up to."""
    kept = faces[faces.kept]
    rows = len(kept) + reasons.total()
    counts = class_counts(kept)
    content = {
        "source_sha256": sha256,
        "rows": rows,
        "kept": {split.value: sum(of) for split, of in zip(SPLITS, counts, strict=True)},
        "class_counts": {
            split.value: dict(zip(EMOTION_NAMES, of, strict=True)) for split, of in zip(SPLITS, counts, strict=True)
        },
        "rejected": {reason.value: reasons[reason] for reason in Reason},
        "audit": audit(kept),
        "audit_before_cleaning": audit(faces),
    }
    return IngestSummary(content, examples, rows != FER2013_ROWS or class_counts(faces) == FER2013_CLASSES)


def class_counts(faces: pd.DataFrame) -> list[list[int]]:
    """Return the faces of each split and emotion, 3 times 7."""
    counts = np.zeros((len(SPLITS), len(Emotion)), np.int64)
    np.add.at(counts, (faces.usage, faces.label), 1)
    return counts.tolist()


def write_clean(csv_path: Path, store: Path, rejected_csv: Path, *, max_rejected: float) -> IngestSummary:
    """Write the kept rows to a store, with their leakage flags, and `row,reason` of the others to a CSV.

    Both files appear when everything has succeeded, else neither.
    Raise Fer2013Error as read_chunks does, where a split keeps no face, and for a share of rejected rows above
    `max_rejected`.
    """
    require_file(csv_path)
    sha256 = sha256_of(csv_path)
    blocks, reasons, examples = [], Counter[Reason](), dict[Reason, Example]()
    with (
        atomic_write(rejected_csv) as rejected_path,
        create_store(store, source_sha256=sha256) as writer,
        rejected_path.open("w", encoding="ascii", newline="") as rejected_file,
    ):
        rejected_file.write("row,reason\n")
        for chunk in read_chunks(csv_path):
            _append(writer, chunk)
            csv.writer(rejected_file, lineterminator="\n").writerows(chunk.rejected)
            blocks.append(seen(chunk.images, chunk.labels, chunk.usages))
            blank = chunk.constant
            blocks.append(seen(blank.images, blank.labels, blank.usages, kept=False))
            reasons.update(reason for _, reason in chunk.rejected)
            examples = chunk.examples | examples
        faces = pd.concat(blocks, ignore_index=True) if blocks else seen(*NO_FACES)
        summary = summarise(sha256, faces, reasons, examples)
        require_sound(csv_path, summary, max_rejected)
        mark_leaks(writer, faces[faces.kept])
    return summary


def require_sound(csv_path: Path, summary: IngestSummary, max_rejected: float) -> None:
    """Raise Fer2013Error for too many rejected rows, or a split that keeps no face."""
    rows, rejected = summary.content["rows"], summary.content["rejected"]
    count = sum(rejected.values())
    if count > max_rejected * rows:
        raise Fer2013Error(
            f"{csv_path}: {count:,} of {rows:,} rows rejected, {count / rows:.1%}; "
            f"clean.max_rejected allows {max_rejected:.1%}\n"
            f"{summary.reasons()}\nallowed: {ALLOWED[Reason(max(rejected, key=rejected.get))]}"
        )
    if empty := [split for split, count in summary.content["kept"].items() if not count]:
        raise Fer2013Error(
            f"{csv_path}: no valid face of {', '.join(empty)} in {rows:,} rows; every split is needed\n"
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
    near = {"correlation": near_duplicate_correlation} | count_near_duplicates(pairs)
    return summary.content | {"near_duplicates": near}


def _append(writer: StoreWriter, chunk: Chunk) -> None:
    for place, split in enumerate(SPLITS):
        chosen = chunk.usages == place
        if chosen.any():
            unknown = np.zeros(np.count_nonzero(chosen), np.bool_)
            writer.append(
                split, Faces(chunk.images[chosen], chunk.labels[chosen], chunk.rows[chosen], unknown, unknown)
            )


def mark_leaks(writer: StoreWriter, kept: pd.DataFrame) -> None:
    """Write which test faces stand in an earlier split, now that all were seen."""
    marks = flags(kept)
    for place, split in enumerate(SPLITS):
        of_split = marks[kept.usage == place]
        writer.mark(split, **{name: of_split[name].to_numpy() for name in of_split})
