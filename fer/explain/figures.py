"""Pictures of explanation maps: one function a figure, with the same bytes each time."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES
from fer.explain.measure import mean_maps
from fer.plotting import BLUE, GREEN, GREY, ORANGE, drawing

if TYPE_CHECKING:
    from fer.explain.explain import Explained
    from fer.explain.faithfulness import Curves

COLOURS: Any = "inferno"
KINDS = (("deletion", "deleted", "lower"), ("insertion", "inserted", "higher"))
TITLES = {"saliency": "Saliency", "occlusion": "Occlusion", "grad_cam": "Grad-CAM"}
LINES = {
    "saliency": ("Saliency", BLUE, "-"),
    "occlusion": ("Occlusion", GREEN, "-"),
    "grad_cam": ("Grad-CAM", ORANGE, "-"),
    "random_pixels": ("random pixels", GREY, ":"),
    "random_blots": ("random blots", GREY, "--"),
}


def draw_mean_maps(explained: "Explained", path: Path) -> None:
    """Draw each method's mean map of each emotion, with the line between upper and lower half; it shows no face."""
    with drawing(path, len(TITLES), 7, size=(10.2, 5.0)) as (figure, axes):
        for axis, emotion in zip(axes[0], EMOTION_NAMES, strict=True):
            axis.set_title(emotion)
        for row, (name, title) in zip(axes, TITLES.items(), strict=True):
            means = mean_maps(explained.maps[name], explained.labels)  # (7, 48, 48)
            highest = means.max() or 1.0
            for axis, mean in zip(row, means, strict=True):
                axis.imshow(mean, cmap=COLOURS, vmin=0, vmax=highest, interpolation="nearest")
                axis.axhline(23.5, color="white", linewidth=0.8, linestyle=(0, (4, 4)))
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
            row[0].set_ylabel(title)
        figure.suptitle(
            f"Mean map of each emotion's first faces on PrivateTest ({len(explained.labels)} faces); "
            "each row has a scale of its own, from 0 (black)",
            x=0.01, ha="left", fontsize=11,
        )  # fmt: skip


def draw_faithfulness(found: Mapping[str, "Curves"], path: Path) -> None:
    """Draw the mean deletion and insertion curves of every method and of the random maps."""
    with drawing(path, 1, 2, size=(10, 3.8), sharey=True) as (_, axes):
        for axis, (kind, verb, good) in zip(axes, KINDS, strict=True):
            for name, (title, colour, style) in LINES.items():
                curve = getattr(found[name], kind).mean(axis=0)
                shares = np.linspace(0, 100, len(curve))
                axis.plot(shares, 100 * curve, color=colour, linestyle=style, linewidth=1.8, label=title)
            axis.set(title=f"{kind.capitalize()}: {good} is better", xlabel=f"{verb} pixels, per cent")
        axes[0].set_ylim(0, None)  # of both axes, and last: plotting rescales
        axes[0].set_ylabel("probability of the labelled emotion, per cent")
        axes[0].legend()


def draw_faces(shown: "Explained", path: Path) -> None:
    """Draw a row for each face: the face, then each method's map over it; the network's probability of the label."""
    count = len(shown.labels)
    with drawing(path, count, 1 + len(TITLES), size=(6.6, 0.3 + 1.42 * count)) as (_, axes):
        for place, row in enumerate(np.atleast_2d(axes)):
            row[0].imshow(shown.images[place], cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            share = shown.probabilities[place, shown.labels[place]]
            row[0].set_ylabel(
                f"{EMOTION_NAMES[shown.labels[place]]}\n{100 * share:.0f} %\nrow {shown.rows[place]}",
                rotation=0, ha="right", va="center",
            )  # fmt: skip
            for axis, (name, title) in zip(row[1:], TITLES.items(), strict=True):
                axis.imshow(overlay(shown.images[place], shown.maps[name][place]), interpolation="lanczos")
                axis.set_title(title if place == 0 else "")
            for axis in row:
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)


def overlay(face: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the map's positive part in colour over the grey face, uint8 (48, 48, 3); its 99th percentile is full."""
    positive = np.clip(values.astype(np.float64), 0, None)
    strength = np.clip(positive / (np.quantile(positive, 0.99) or positive.max() or 1.0), 0, 1)  # (48, 48)
    colours = mpl.colormaps[COLOURS](strength)[..., :3]  # (48, 48, 3)
    share = (0.75 * strength)[..., None]
    grey = face[..., None].astype(np.float64) / 255
    return np.asarray((255 * ((1 - share) * grey + share * colours)).round().astype(np.uint8))
