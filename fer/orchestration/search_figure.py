"""A search as one picture: the optimum over trials, and each parameter against the accuracy."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from fer.config.params import Dimension
from fer.orchestration.search_tables import TrialRow, best_row
from fer.plotting import BLUE, GREY, ORANGE, drawing


def search_picture(rows: Sequence[TrialRow], space: Mapping[str, Dimension], path: Path) -> None:
    """Draw complete trials as filled dots, pruned ones hollow, the best one in orange. Needs a complete trial."""
    best = best_row(rows)
    assert best is not None
    shown = sorted((row for row in rows if row.ended and row.accuracy is not None), key=lambda row: row.number)
    with drawing(path, 1, 1 + len(space), size=(3 * (1 + len(space)), 3.2), sharey=True) as (_, axes):
        dots(axes[0], [row.number for row in shown], shown, best)
        axes[0].step(*optimum(shown), where="post", color=ORANGE, linewidth=1.5)
        axes[0].xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes[0].set(xlabel="trial", title="Accuracy on PublicTest; line: the best so far")
        axes[0].yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        for axis, (name, dimension) in zip(axes[1:], space.items(), strict=True):
            values = [row.parameters[name] for row in shown]
            dots(
                axis, [dimension.choices.index(value) for value in values] if dimension.choices else values, shown, best
            )
            axis.set_xlabel(name)
            if dimension.choices:
                axis.set_xticks(range(len(dimension.choices)), [str(choice) for choice in dimension.choices])
                axis.margins(x=0.25)
            elif dimension.log:
                axis.set_xscale("log")


def optimum(rows: Sequence[TrialRow]) -> tuple[list[int], list[float]]:
    """Return each trial from the first complete one on, and the complete ones' highest accuracy up to it."""
    numbers: list[int] = []
    highest: list[float] = []
    for row in rows:
        if row.state == "complete" and row.accuracy is not None:
            highest.append(max([row.accuracy, *highest[-1:]]))
        elif highest:
            highest.append(highest[-1])
        if highest:
            numbers.append(row.number)
    return numbers, highest


def dots(axis: Axes, places: Sequence[float], rows: Sequence[TrialRow], best: TrialRow) -> None:
    for place, row in zip(places, rows, strict=True):
        assert row.accuracy is not None
        colour = ORANGE if row is best else BLUE if row.state == "complete" else GREY
        axis.plot(
            [place], [row.accuracy], "o", color=colour, markersize=8 if row is best else 5,
            markerfacecolor=colour if row.state == "complete" else "none", zorder=3 if row is best else 2,
        )  # fmt: skip
