"""What a search has tried, as the tables that `dvc plots` shows: the optimum over trials, parallel coordinates."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.config.params import Dimension
from fer.files import write_text


@dataclass(frozen=True)
class TrialRow:
    """A trial: PublicTest's accuracy of the epoch that was kept, of a pruned one the best until then."""

    number: int
    state: str  # complete, pruned or running
    accuracy: float | None
    epochs: int
    parameters: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        return self.state != "running"

    @property
    def line(self) -> str:
        accuracy = "-" if self.accuracy is None else f"{self.accuracy:.2%}"
        parameters = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return f"trial {self.number}: PublicTest {accuracy} ({self.state}, {self.epochs} epochs) {parameters}"


def best_row(rows: Sequence[TrialRow]) -> TrialRow | None:
    """Return the best of those that went through to their end, of equals the first; None where there is none."""
    complete = [row for row in rows if row.state == "complete" and row.accuracy is not None]
    return max(complete, key=lambda row: (row.accuracy or 0.0, -row.number), default=None)


def write_trials(path: Path, rows: Sequence[TrialRow]) -> None:
    """Write a row a trial that has an accuracy: `best` is the highest of the complete trials up to it."""
    best: float | None = None
    table = []
    for row in sorted(rows, key=lambda row: row.number):
        if row.accuracy is None:
            continue
        if row.state == "complete":
            best = row.accuracy if best is None else max(best, row.accuracy)
        table.append(
            {
                "trial": row.number,
                "state": row.state,
                "accuracy": f"{row.accuracy:.6g}",
                "best": "" if best is None else f"{best:.6g}",
                "epochs": row.epochs,
                **row.parameters,
            }
        )
    write_table(path, table)


def write_parallel(path: Path, rows: Sequence[TrialRow], space: Mapping[str, Dimension]) -> None:
    """Write a row a trial and axis: where the trial's line crosses it, from 0 to 1, and the value there.

    The last axis is the accuracy, between the lowest and the highest of all trials.
    """
    shown = [row for row in rows if row.accuracy is not None]
    accuracies = [row.accuracy for row in shown if row.accuracy is not None]
    table = []
    for row in sorted(shown, key=lambda row: row.number):
        assert row.accuracy is not None
        points = [(name, value, position(value, space[name])) for name, value in row.parameters.items()]
        points.append(("accuracy", f"{row.accuracy:.6g}", share(row.accuracy, min(accuracies), max(accuracies))))
        for order, (name, value, place) in enumerate(points):
            table.append(
                {
                    "trial": row.number,
                    "state": row.state,
                    "accuracy": f"{row.accuracy:.6g}",
                    "axis": f"{order + 1} {name}",
                    "value": value,
                    "position": f"{place:.6g}",
                }
            )
    write_table(path, table)


def position(value: Any, dimension: Dimension) -> float:
    if dimension.choices:
        return share(dimension.choices.index(value), 0, len(dimension.choices) - 1)
    assert dimension.low is not None
    assert dimension.high is not None
    if dimension.log:
        return share(math.log(value), math.log(dimension.low), math.log(dimension.high))
    return share(value, dimension.low, dimension.high)


def share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def write_table(path: Path, table: Sequence[Mapping[str, Any]]) -> None:
    if table:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        write_text(path, text.getvalue())
