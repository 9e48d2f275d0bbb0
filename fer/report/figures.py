"""The pictures of all systems beside each other, and the table behind one of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fer.evaluation.leaks import GROUPS as LEAK_GROUPS
from fer.evaluation.metrics import TEST_SETS
from fer.files import write_csv
from fer.plotting import BLUE, GREEN, GREY, ORANGE, drawing
from fer.report.tables import measured

OFFSETS = dict(zip(TEST_SETS, (-0.27, -0.09, 0.09, 0.27), strict=True))  # a system's lines, around its own height
SET_NAMES = dict(zip(TEST_SETS, ("PublicTest", "PrivateTest", "leak-free", "no near-duplicates"), strict=True))
LEAK_NAMES = dict(zip(LEAK_GROUPS, ("exact duplicates", "near-duplicates", "clean"), strict=True))
LEAK_COLOURS = dict(zip(LEAK_GROUPS, (ORANGE, GREEN, BLUE), strict=True))
PRINTED = "printed in the report"


def draw_accuracy(summary: Mapping[str, Any], path: Path) -> None:
    """Draw a dot with its 95 % interval for each system and test set; a stroke for what the report printed."""
    systems = measured(summary)
    with drawing(path, size=(8.2, 1.8 + 0.5 * len(systems))) as (figure, axis):
        rows_of_names(axis, list(systems))
        for test_set, colour in zip(TEST_SETS, (GREY, BLUE, ORANGE, GREEN), strict=True):
            scores = [entry[test_set] for entry in systems.values()]
            dots(axis, scores, OFFSETS[test_set], fmt="o", color=colour, label=SET_NAMES[test_set], markersize=4)
        printed = [
            (100 * entry["reported"]["accuracy"], place + OFFSETS[entry["reported"]["split"]])
            for place, entry in enumerate(systems.values())
            if entry["reported"] and entry["reported"]["accuracy"] is not None
        ]
        if printed:
            axis.plot(*zip(*printed, strict=True), "|", color="#222222", markersize=8, mew=1.8, label=PRINTED)
        handles, labels = axis.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda place: labels[place] == PRINTED)  # the stroke last
        figure.legend(
            [handles[place] for place in order], [labels[place] for place in order], loc="outside upper center",
            ncols=3, title="Accuracy of each system", title_fontsize=11, handletextpad=0.3, columnspacing=1.5,
        )  # fmt: skip


def draw_leaks(summary: Mapping[str, Any], path: Path) -> None:
    """Draw the accuracy on PrivateTest's faces that stand in Training, nearly do, and do not."""
    systems = {name: entry["leaks"] for name, entry in measured(summary).items()}
    faces = {group: of["faces"] for group, of in next(iter(systems.values())).items()}
    with drawing(path, size=(8.2, 1.5 + 0.38 * len(systems))) as (figure, axis):
        rows_of_names(axis, list(systems))
        for offset, (group, colour) in zip((-0.2, 0.0, 0.2), LEAK_COLOURS.items(), strict=True):
            if faces[group]:
                label = f"{LEAK_NAMES[group]} ({faces[group]:,} faces)"
                dots(
                    axis,
                    [of[group] for of in systems.values()],
                    offset,
                    fmt="o",
                    color=colour,
                    label=label,
                    markersize=5,
                )
        figure.legend(
            loc="outside upper center", ncols=3, title="PrivateTest's faces, by whether Training has them",
            title_fontsize=11, handletextpad=0.3,
        )  # fmt: skip


def rows_of_names(axis: Axes, names: list[str]) -> None:
    """Prepare a row a system, the first at the top; bands lead the eye from a name to its dots."""
    for place in range(0, len(names), 2):
        axis.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="accuracy, per cent (95 % interval)", ylim=(len(names) - 0.5, -0.5))


def dots(axis: Axes, scores: list[Mapping[str, Any]], offset: float, **style: Any) -> None:
    """Draw accuracies, one a row, each with its interval."""
    means, low, high = (
        np.array([100 * score[key] for score in scores]) for key in ("accuracy", "accuracy_low", "accuracy_high")
    )
    errors = np.clip([means - low, high - means], 0, None)
    axis.errorbar(means, np.arange(len(scores)) + offset, xerr=errors, capsize=2, elinewidth=1.2, **style)


def write_leaks(summary: Mapping[str, Any], path: Path) -> None:
    """Write system,group,accuracy,low,high,faces: a row for each group of PrivateTest's faces; template leaks."""
    rows = [
        (name, group, *(f"{of[key]:.6f}" for key in ("accuracy", "accuracy_low", "accuracy_high")), of["faces"])
        for name, entry in measured(summary).items()
        for group, of in entry["leaks"].items()
        if of["faces"]
    ]
    write_csv(path, ("system", "group", "accuracy", "low", "high", "faces"), rows)
