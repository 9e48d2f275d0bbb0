"""A search as one picture: the optimum over trials, and each parameter against the accuracy."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from fer.config.params import Dimension
from fer.plotting import BLUE, GREY, ORANGE, drawing


def search_picture(table: pd.DataFrame, space: Mapping[str, Dimension], path: Path) -> None:
    """Draw complete trials as filled dots, others hollow, the best one in orange. Needs a complete trial."""
    complete = table["state"] == "complete"
    best = table.index == table["accuracy"].where(complete).idxmax()
    looks = ((~complete, GREY, "none"), (complete & ~best, BLUE, BLUE), (best, ORANGE, ORANGE))
    places = [table["trial"]]
    for name, dimension in space.items():
        places.append(table[name].map(dimension.choices.index) if dimension.choices else table[name])
    with drawing(path, 1, len(places), size=(3 * len(places), 3.2), sharey=True, squeeze=False) as (_, grid):
        axes = grid[0]
        for axis, values in zip(axes, places, strict=True):
            for chosen, edge, face in looks:
                axis.plot(values[chosen], table["accuracy"][chosen], "o", color=edge, markerfacecolor=face)
        axes[0].step(table["trial"], table["best"], where="post", color=ORANGE, linewidth=1.5)
        axes[0].xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes[0].yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        axes[0].set(xlabel="trial", title="Accuracy on PublicTest; line: the best so far")
        for axis, (name, dimension) in zip(axes[1:], space.items(), strict=True):
            axis.set(xlabel=name, xscale="log" if dimension.log else "linear")
            if dimension.choices:
                axis.set_xticks(range(len(dimension.choices)), [str(choice) for choice in dimension.choices])
                axis.set_xlim(-0.5, len(dimension.choices) - 0.5)
