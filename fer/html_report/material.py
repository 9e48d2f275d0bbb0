"""What the report is made of, and what a part of it is."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from fer.data.store import Faces, open_store, read_split
from fer.emotions import Split

MAPS = "maps.safetensors"  # what explain leaves of a system that it explained


class Section(NamedTuple):
    """A part of the page: `name` is its anchor."""

    name: str
    title: str
    body: Markup


@dataclass(frozen=True)
class Material:
    """What the page is made of: the numbers of one dataset, and the faces of the same or another.

    Attributes:
        numbers, metrics, plots: a dataset's name, its metrics/ and its plots/.
        faces, face_metrics, explained, predictions, store: the name of the dataset whose faces are shown, and where
            they and the answers to them lie.
    """

    numbers: str
    metrics: Path
    plots: Path
    faces: str
    face_metrics: Path
    explained: Path
    predictions: Path
    store: Path

    @classmethod
    def of(cls, numbers: str, faces: str, root: Path = Path()) -> "Material":
        """Everything at its place in the project's folder."""
        return cls(
            numbers=numbers,
            metrics=root / "metrics" / numbers,
            plots=root / "plots" / numbers,
            faces=faces,
            face_metrics=root / "metrics" / faces,
            explained=root / "data" / "explained" / faces,
            predictions=root / "data" / "predictions" / faces,
            store=root / "data" / "normalised" / f"{faces}.h5",
        )

    @cached_property
    def summary(self) -> dict[str, Any]:
        return read_json(self.metrics / "summary.json")

    @property
    def measured(self) -> dict[str, dict[str, Any]]:
        return {name: entry for name, entry in self.summary["systems"].items() if entry["seeds"]}

    @cached_property
    def shown_split(self) -> Faces:
        with open_store(self.store) as file:
            return read_split(file, Split.private_test)

    def explained_systems(self) -> Iterator[Path]:
        yield from sorted(path.parent for path in self.explained.glob(f"*/{MAPS}"))


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_table(path: Path) -> list[dict[str, str]]:
    """A table of plots/; empty where it was not written."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
