"""What a search has tried, as the tables that `dvc plots` shows: the optimum over trials, parallel coordinates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from fer.config.params import Dimension
from fer.files import write_text

DIGITS = 4  # significant ones that a float parameter has


def parameters_of(trial: Trial | FrozenTrial) -> dict[str, Any]:
    """Return a trial's, those of a range with few digits: the command line that repeats them is exact and short."""
    drawn = trial.distributions
    return {
        name: float(f"{value:.{DIGITS}g}") if isinstance(drawn[name], FloatDistribution) else value
        for name, value in trial.params.items()
    }


def accuracy_of(trial: FrozenTrial) -> float | None:
    """Return PublicTest's of the epoch that was kept; of a trial without an end the best until then."""
    if trial.state is TrialState.COMPLETE:
        return trial.value
    return max(trial.intermediate_values.values(), default=None)


def line_of(trial: FrozenTrial) -> str:
    accuracy, epochs = accuracy_of(trial), max(trial.intermediate_values, default=0)
    shown = "-" if accuracy is None else f"{accuracy:.2%}"
    parameters = ", ".join(f"{name} {value}" for name, value in parameters_of(trial).items())
    return f"trial {trial.number}: PublicTest {shown} ({trial.state.name.lower()}, {epochs} epochs) {parameters}"


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Return the best of those that went through to their end, of equals the first; None where there is none."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return max(complete, key=lambda trial: trial.value or 0.0, default=None)


def table_of(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """Return a row a trial that has an accuracy: `best` is the highest of the complete trials up to it."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "accuracy": accuracy_of(trial),
            "best": None,
            "epochs_trained": max(trial.intermediate_values, default=0),
            **parameters_of(trial),
        }
        for trial in trials
        if accuracy_of(trial) is not None
    ]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows, dtype=object)
    table["accuracy"] = table["accuracy"].astype(float).round(6)
    table["best"] = table["accuracy"].where(table["state"] == "complete").cummax().ffill()
    return table


def parallel_table(table: pd.DataFrame, space: Mapping[str, Dimension]) -> pd.DataFrame:
    """Return a row a trial and axis: where the trial's line crosses it, from 0 to 1, and the value there.

    The last axis is the accuracy, between the lowest and the highest of all trials.
    """
    accuracy = table["accuracy"]
    places = {name: position(table[name], dimension) for name, dimension in space.items()}
    places["accuracy"] = share(accuracy, accuracy.min(), accuracy.max())
    axes = [
        table[["trial", "state", "accuracy"]].assign(axis=f"{order} {name}", value=table[name], position=place.round(6))
        for order, (name, place) in enumerate(places.items(), 1)
    ]
    return pd.concat(axes).sort_values("trial", kind="stable")


def position(values: pd.Series, dimension: Dimension) -> pd.Series:
    if dimension.choices:
        return share(values.map(dimension.choices.index), 0, len(dimension.choices) - 1)
    ends = np.array([dimension.low, dimension.high], dtype=float)
    if dimension.log:
        values, ends = np.log(values.astype(float)), np.log(ends)
    return share(values, *ends)


def share(values: Any, low: float, high: float) -> pd.Series:
    return pd.Series((values - low) / (high - low) if high > low else 0.5 + 0 * values)


def write_table(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
