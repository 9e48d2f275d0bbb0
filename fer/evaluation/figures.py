"""Pictures for reading: one function a figure, from plain arrays to a PNG with the same bytes each time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.calibration import BINS, Reliability, expected_calibration_error
from fer.evaluation.crowd import LEVELS
from fer.evaluation.leaks import GROUPS as LEAK_GROUPS
from fer.evaluation.metrics import HUMAN_CLASS_ACCURACY, TEST_SETS
from fer.evaluation.plots_data import EpochScore, class_counts, row_shares
from fer.files import replacing

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"  # Okabe & Ito, safe for colour-blind readers
STYLE: Any = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}
OFFSETS = dict(zip(TEST_SETS, (-0.27, -0.09, 0.09, 0.27), strict=True))  # a system's lines, around its own height
SET_NAMES = dict(zip(TEST_SETS, ("PublicTest", "PrivateTest", "leak-free", "no near-duplicates"), strict=True))
PAIRS = 48  # near-duplicates shown
LEAK_NAMES = dict(zip(LEAK_GROUPS, ("exact copies", "near-duplicates", "clean"), strict=True))
LEAK_COLOURS = dict(zip(LEAK_GROUPS, (ORANGE, GREEN, BLUE), strict=True))
mpl.use("Agg")


@contextmanager
def drawing(
    path: Path, rows: int = 1, columns: int = 1, *, size: tuple[float, float], **grid: Any
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the project's style, saved whole under `path` when the block ends; `size` in inches.

    `grid` as plt.subplots takes it.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", **grid)
        try:
            yield figure, axes
            with replacing(path) as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
        finally:
            plt.close(figure)


def curves(history: Sequence[EpochScore], path: Path) -> None:
    """Loss and accuracy per epoch, train and validation: a thin line a seed, a thick one for their mean.

    Report 000, figures 4 and 5.
    """
    with drawing(path, 1, 2, size=(10, 3.8)) as (_, axes):
        for axis, metric, title in zip(axes, ("loss", "accuracy"), ("Cross-entropy, nats", "Accuracy"), strict=True):
            for split, colour in (("train", BLUE), ("validation", ORANGE)):
                draw_curves(axis, [score for score in history if score.split == split], metric, split, colour)
            axis.set(title=title, xlabel="epoch")
            axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes[1].yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes[1].legend(
            ["train", "validation (PublicTest)"], loc="lower right", labelcolor=[BLUE, ORANGE], handlelength=0
        )


def draw_curves(axis: Axes, scores: Sequence[EpochScore], metric: str, label: str, colour: str) -> None:
    by_epoch: dict[int, list[float]] = {}
    for score in scores:
        by_epoch.setdefault(score.epoch, []).append(getattr(score, metric))
    epochs = sorted(by_epoch)
    axis.plot(epochs, [np.mean(by_epoch[epoch]) for epoch in epochs], color=colour, linewidth=2, label=label)
    seeds = sorted({score.seed for score in scores})
    for seed in seeds if len(seeds) > 1 else []:
        line = sorted((score.epoch, getattr(score, metric)) for score in scores if score.seed == seed)
        axis.plot(*zip(*line, strict=True), color=colour, linewidth=0.7, alpha=0.5, label="_seed")


def confusion(counts: NDArray[np.int64], path: Path) -> None:
    """Rows normalised, per cent of the faces that a row's emotion has; `counts` (7, 7). Report 000, figure 6."""
    shares = 100 * row_shares(counts)  # (7, 7)
    with drawing(path, size=(6.4, 5.6)) as (figure, axis):
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares):
            axis.text(column, row, f"{share:.0f}", ha="center", va="center", color="white" if share > 55 else "#222222")
        axis.set(
            xticks=range(7), yticks=range(7), xlabel="predicted", ylabel="labelled",
            title="PrivateTest, per cent of each labelled emotion",
        )  # fmt: skip
        axis.set_xticklabels(EMOTION_NAMES, rotation=35, ha="right", rotation_mode="anchor")
        axis.set_yticklabels(f"{name} ({row.sum():,})" for name, row in zip(EMOTION_NAMES, counts, strict=True))
        axis.grid(False)
        axis.spines[:].set_visible(False)
        figure.colorbar(image, ax=axis, shrink=0.75, label="per cent").outline.set_visible(False)


def class_accuracy(counts: NDArray[np.int64], path: Path) -> None:
    """Bars for the network, diamonds for people on posed photographs (report 000, table 1); `counts` (7, 7)."""
    shares = 100 * np.diag(row_shares(counts))  # (7,)
    people = [100 * HUMAN_CLASS_ACCURACY[name] for name in EMOTION_NAMES]
    with drawing(path, size=(7.6, 3.8)) as (_, axis):
        bars = axis.bar(EMOTION_NAMES, shares, color=BLUE, width=0.62, label="network, PrivateTest")
        for bar in bars:  # at the foot: a rare class's bar is lower than its number
            short = bar.get_height() < 8
            axis.annotate(
                f"{bar.get_height():.0f}", (bar.get_x() + bar.get_width() / 2, bar.get_height() if short else 0),
                xytext=(0, 4), textcoords="offset points", ha="center", color="#222222" if short else "white",
            )  # fmt: skip
        axis.plot(EMOTION_NAMES, people, "D", color=ORANGE, markersize=7, label="people, posed photographs")
        axis.set(ylim=(0, 108), ylabel="per cent right", title="Accuracy per emotion")
        axis.grid(axis="x", visible=False)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, -0.32), ncols=2)


def class_distribution(labels: Mapping[Split, NDArray[np.uint8]], path: Path) -> None:
    """Per cent of each split's faces that each emotion has. Report 000, figure 1."""
    with drawing(path, size=(8.2, 3.8)) as (_, axis):
        for place, (split, colour) in enumerate(zip(labels, (BLUE, ORANGE, GREEN), strict=True)):
            counts = class_counts(labels[split])
            shares = 100 * counts / counts.sum()
            label = f"{split} ({counts.sum():,} faces)"
            axis.bar(np.arange(7) + 0.27 * (place - 1), shares, width=0.25, color=colour, label=label)
        axis.set_xticks(range(7), EMOTION_NAMES)
        axis.set(ylabel="per cent of the split", title="Emotions in each split")
        axis.grid(axis="x", visible=False)
        axis.legend()


def sample_faces(images: NDArray[np.uint8], labels: NDArray[np.uint8], path: Path, *, columns: int = 12) -> None:
    """A row of faces for each emotion, the first ones of the split; images (N, 48, 48). Report 000, figure 2."""
    with drawing(path, 7, 1, size=(columns * 0.72 + 1.0, 7 * 0.74)) as (_, axes):
        for emotion, axis in enumerate(axes):
            faces = images[labels == emotion][:columns]
            sheet = np.full((48, 49 * columns - 1), 255, np.uint8)
            for place, face in enumerate(faces):
                sheet[:, 49 * place : 49 * place + 48] = face
            axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            axis.set(xticks=[], yticks=[])
            axis.set_ylabel(EMOTION_NAMES[emotion], rotation=0, ha="right", va="center")
            axis.spines[:].set_visible(False)


def near_duplicates(
    test: Sequence[NDArray[np.uint8]],
    training: Sequence[NDArray[np.uint8]],
    correlations: Sequence[float],
    path: Path,
    *,
    columns: int = 6,
) -> None:
    """Test faces, each with the Training face that is nearly the same, (48, 48) each, and their correlation."""
    rows = -(-len(test) // columns)
    with drawing(path, rows, columns, size=(1.55 * columns, 1.0 * rows + 0.4), squeeze=False) as (figure, axes):
        figure.suptitle("Test face, and its near-duplicate in Training", fontsize=11)
        for axis in axes.flat:
            axis.set_axis_off()
        gap = np.full((48, 2), 255, np.uint8)
        for axis, face, other, correlation in zip(axes.flat, test, training, correlations, strict=False):
            axis.imshow(np.hstack([face, gap, other]), cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            axis.set_title(f"{correlation:.3f}", fontsize=8, loc="center", pad=2)


def system_accuracy(summary: Mapping[str, Any], path: Path) -> None:
    """A dot with its 95 % interval for each measured system and test set; a cross for what the report printed."""
    systems = [(name, entry) for name, entry in summary["systems"].items() if entry["seeds"]]
    with drawing(path, size=(8.2, 1.8 + 0.5 * len(systems))) as (figure, axis):
        for place in range(0, len(systems), 2):  # bands lead the eye from a name to its dots
            axis.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
        for test_set, colour in zip(TEST_SETS, (GREY, BLUE, ORANGE, GREEN), strict=True):
            scores = [entry[test_set] for _, entry in systems]
            means = np.array([100 * score["accuracy"] for score in scores])
            low = means - [100 * score["accuracy_low"] for score in scores]
            high = [100 * score["accuracy_high"] for score in scores] - means
            heights = np.arange(len(systems)) + OFFSETS[test_set]
            axis.errorbar(
                means, heights, xerr=np.clip([low, high], 0, None), fmt="o", color=colour, label=SET_NAMES[test_set],
                markersize=4, capsize=2, elinewidth=1.2,
            )  # fmt: skip
        printed = [
            (100 * entry["reported"]["accuracy"], place + OFFSETS[entry["reported"]["split"]])
            for place, (_, entry) in enumerate(systems)
            if has_number(entry)
        ]
        if printed:
            axis.plot(
                *zip(*printed, strict=True), "x", color="#222222", markersize=6, mew=1.6, label="printed in the report"
            )
        axis.set_yticks(range(len(systems)), [name for name, _ in systems])
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", visible=False)
        axis.set(xlabel="accuracy, per cent (95 % interval)", ylim=(len(systems) - 0.5, -0.5))
        handles, labels = axis.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda place: labels[place] == "printed in the report")  # the cross last
        figure.legend(
            [handles[place] for place in order], [labels[place] for place in order], loc="outside upper center",
            ncols=3, title="Accuracy of each system", title_fontsize=11, handletextpad=0.3, columnspacing=1.5,
        )  # fmt: skip


def has_number(entry: Mapping[str, Any]) -> bool:
    return bool(entry["reported"]) and entry["reported"]["accuracy"] is not None


def reliability(bins: Mapping[str, Reliability], path: Path) -> None:
    """Accuracy against confidence, as trained and temperature scaled; the line is what a calibrated network has.

    Guo et al. 2017, figure 4; below each, how many faces have that confidence.
    """
    ratio = {"height_ratios": (3.2, 1)}
    with drawing(path, 2, len(bins), size=(8.2, 4.8), sharex=True, sharey="row", gridspec_kw=ratio) as (_, axes):
        for (scaling, of), (top, below) in zip(bins.items(), axes.T, strict=True):
            edges = (np.arange(BINS) + 0.5) / BINS
            filled = of.faces > 0
            top.bar(edges[filled], of.accuracy[filled], width=0.9 / BINS, color=BLUE, label="accuracy")
            top.plot(of.confidence[filled], of.accuracy[filled], "o", color="#222222", markersize=3)
            top.plot([0, 1], [0, 1], color=ORANGE, linewidth=1.5, label="calibrated")
            error = 100 * expected_calibration_error(of)
            top.set(title=f"{scaling}: ECE {error:.1f} %", xlim=(0, 1), ylim=(0, 1))
            below.bar(edges, 100 * of.faces / max(of.faces.sum(), 1), width=0.9 / BINS, color=GREY)
            below.set(xlabel="confidence, per cent")
            for axis in (top, below):
                axis.grid(axis="x", visible=False)
                axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0, symbol=""))
            top.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes[0, 0].set_ylabel("accuracy, PrivateTest, all seeds")
        axes[1, 0].set_ylabel("% of faces")
        axes[0, 0].legend(loc="upper left")


def leaks(summary: Mapping[str, Any], path: Path) -> None:
    """Accuracy of each system on PrivateTest's faces that stand in Training, nearly do, and do not."""
    systems = [(name, entry["leaks"]) for name, entry in summary["systems"].items() if entry["seeds"]]
    faces = systems[0][1]
    with drawing(path, size=(8.2, 1.5 + 0.38 * len(systems))) as (figure, axis):
        for place in range(0, len(systems), 2):
            axis.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
        for offset, (group, colour) in zip((-0.2, 0.0, 0.2), LEAK_COLOURS.items(), strict=True):
            if not faces[group]["faces"]:
                continue
            scores = [groups[group] for _, groups in systems]
            means = np.array([100 * score["accuracy"] for score in scores])
            low = means - [100 * score["accuracy_low"] for score in scores]
            high = [100 * score["accuracy_high"] for score in scores] - means
            axis.errorbar(
                means, np.arange(len(systems)) + offset, xerr=np.clip([low, high], 0, None), fmt="o", color=colour,
                markersize=5, capsize=2, elinewidth=1, label=f"{LEAK_NAMES[group]} ({faces[group]['faces']:,} faces)",
            )  # fmt: skip
        axis.set_yticks(range(len(systems)), [name for name, _ in systems])
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", visible=False)
        axis.set(xlabel="accuracy, per cent (95 % interval)", ylim=(len(systems) - 0.5, -0.5))
        figure.legend(
            loc="outside upper center", ncols=3, title="PrivateTest's faces, by whether Training has them",
            title_fontsize=11, handletextpad=0.3,
        )  # fmt: skip


def agreement(summary: Mapping[str, Any], path: Path) -> None:
    """Accuracy by how many of ten voters made the crowd's choice, on PrivateTest; last, how often that is the label."""
    noise = summary["label_noise"][Split.private_test]
    systems = {name: entry["crowd"]["by_votes"] for name, entry in summary["systems"].items() if entry["seeds"]}
    levels = list(LEVELS)
    rows = [[of[level]["accuracy_label"] for level in levels] for of in systems.values()]
    rows.append([noise["by_votes"][level]["agreement"] for level in levels])
    shares = np.array([[np.nan if share is None else 100 * share for share in row] for row in rows])  # (S + 1, levels)
    with drawing(path, size=(8.2, 1.7 + 0.36 * len(rows))) as (_, axis):
        axis.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=110, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            text = "–" if np.isnan(share) else f"{share:.0f}"
            axis.text(column, row, text, ha="center", va="center", color="white" if share > 60 else "#222222")
        axis.axhline(len(systems) - 0.5, color="white", linewidth=4)
        names = [
            f"{level.replace('_or_fewer', ' or fewer')}\n({noise['by_votes'][level]['faces']:,})" for level in levels
        ]
        axis.set_xticks(range(len(levels)), names)
        axis.set_yticks(range(len(rows)), [*systems, "the crowd's choice"])
        axis.set(
            title="Per cent with FER2013's label, PrivateTest",
            xlabel="voters of ten who made the crowd's choice (faces)",
        )
        axis.tick_params(length=0)
        axis.grid(False)
        axis.spines[:].set_visible(False)
