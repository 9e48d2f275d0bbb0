"""The pictures of one system, for reading: one function a figure, from plain arrays to a PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES
from fer.evaluation.calibration import BINS, Reliability
from fer.evaluation.metrics import HUMAN_CLASS_ACCURACY
from fer.evaluation.plots_data import EpochScore, mean_curve, row_shares
from fer.plotting import BLUE, GREY, ORANGE, drawing


def curves(history: Sequence[EpochScore], path: Path) -> None:
    """Draw loss and accuracy per epoch, train and validation: a thin line a seed, a thick one for their mean.

    Report 000, figures 4 and 5.
    """
    with drawing(path, 1, 2, size=(10, 3.8)) as (_, axes):
        for axis, metric, title in zip(axes, ("loss", "accuracy"), ("Loss", "Accuracy"), strict=True):
            for split, colour in (("train", BLUE), ("validation", ORANGE)):
                draw_curves(axis, history, split, metric, colour)
            axis.set(title=title, xlabel="epoch")
            axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes[1].yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes[1].legend(
            ["train", "validation (PublicTest)"], loc="lower right", labelcolor=[BLUE, ORANGE], handlelength=0
        )


def draw_curves(axis: Axes, history: Sequence[EpochScore], split: str, metric: str, colour: str) -> None:
    axis.plot(*zip(*mean_curve(history, split, metric), strict=True), color=colour, linewidth=2, label=split)
    seeds = sorted({score.seed for score in history})
    for seed in seeds if len(seeds) > 1 else []:
        line = mean_curve([score for score in history if score.seed == seed], split, metric)
        axis.plot(*zip(*line, strict=True), color=colour, linewidth=0.7, alpha=0.5, label="_seed")


def confusion(counts: NDArray[np.int64], path: Path) -> None:
    """Draw per cent of the faces that each row's emotion has; `counts` (7, 7). Report 000, figure 6."""
    shares = 100 * row_shares(counts)  # (7, 7)
    with drawing(path, size=(6.4, 5.6)) as (figure, axis):
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares):
            axis.text(column, row, f"{share:.0f}", ha="center", va="center", color="white" if share > 66 else "#222222")
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
    """Draw bars for the network, diamonds for people on posed photographs (report 000, table 1); `counts` (7, 7)."""
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


def reliability(bins: Mapping[str, Reliability], errors: Mapping[str, float], path: Path) -> None:
    """Draw accuracy against confidence, as trained and temperature scaled; the line is what a calibrated network has.

    Guo et al. 2017, figure 4; below each, how many faces have that confidence. The bins are of all seeds' faces
    together; `errors` are the means of each seed's own ECE, as in the tables.
    """
    ratio = {"height_ratios": (3.2, 1)}
    with drawing(path, 2, len(bins), size=(8.2, 4.8), sharex=True, sharey="row", gridspec_kw=ratio) as (figure, axes):
        for (scaling, of), (top, below) in zip(bins.items(), axes.T, strict=True):
            edges = (np.arange(BINS) + 0.5) / BINS
            filled = of.faces > 0
            top.bar(edges[filled], of.accuracy[filled], width=0.9 / BINS, color=BLUE, label="accuracy")
            top.plot(of.confidence[filled], of.accuracy[filled], "o", color="#222222", markersize=3)
            top.plot([0, 1], [0, 1], color=ORANGE, linewidth=1.5, label="calibrated")
            top.set(title=f"{scaling}: ECE {100 * errors[scaling]:.1f} %", xlim=(0, 1), ylim=(0, 1))
            below.bar(edges, 100 * of.faces / max(of.faces.sum(), 1), width=0.9 / BINS, color=GREY)
            below.set(xlabel="confidence, per cent")
            for axis in (top, below):
                axis.grid(axis="x", visible=False)
                axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0, symbol=""))
            top.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes[0, 0].set_ylabel("accuracy, PrivateTest, all seeds")
        axes[1, 0].set_ylabel("% of faces")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)  # no bar is covered
