"""Galleries of one system's answers (report 002): where it is most surely wrong, and where it was nearly right.

A gallery is a choice of faces, a pure function of the predictions; a contact sheet shows it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES, Emotion
from fer.files import write_json
from fer.plotting import BLUE, ORANGE, drawing
from fer.predictions.format import Predictions

COLUMNS = 6
PAIRS = (
    (Emotion.anger, Emotion.sad),
    (Emotion.disgust, Emotion.anger),
    (Emotion.fear, Emotion.sad),
    (Emotion.fear, Emotion.surprise),
)


def confident_mistakes(predictions: Predictions) -> NDArray[np.int64]:
    """Return the faces whose highest probability is not the label's, the surest first."""
    return ranked(predictions.predicted != predictions.labels, predictions.probabilities.max(axis=1))


def second_choice(predictions: Predictions) -> NDArray[np.int64]:
    """Return the faces whose second highest probability is the label's, the highest of these first."""
    order = np.argsort(-predictions.logits, axis=1, kind="stable")  # (N, 7)
    return ranked(order[:, 1] == predictions.labels, of_label(predictions))


def confused(predictions: Predictions, first: Emotion, second: Emotion) -> NDArray[np.int64]:
    """Return the faces with one label of the pair that were given the other, the surest first."""
    labels, predicted = predictions.labels, predictions.predicted
    wrong = ((labels == first) & (predicted == second)) | ((labels == second) & (predicted == first))
    return ranked(wrong, predictions.probabilities.max(axis=1))


# Title and choice, the places of its faces among the predictions with the most telling one first.
GALLERIES: dict[str, tuple[str, Callable[[Predictions], NDArray[np.int64]]]] = {
    "confident_mistakes": ("Most confident mistakes", confident_mistakes),
    "second_choice": ("The second choice is right", second_choice),
    **{
        f"{first.name}_{second.name}": (
            f"{first.name.capitalize()} and {second.name} confused",
            partial(confused, first=first, second=second),
        )
        for first, second in PAIRS
    },
}


def ranked(chosen: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places where `chosen`, by falling value; of equal values the earlier one first."""
    places = np.flatnonzero(chosen)
    return places[np.argsort(-values[places], kind="stable")]


def of_label(predictions: Predictions) -> NDArray[np.float64]:
    """Return the label's probability, (N,)."""
    places = predictions.labels[:, None].astype(np.int64)
    return np.take_along_axis(predictions.probabilities, places, axis=1)[:, 0]


def write_galleries(
    predictions: Predictions, images: NDArray[np.uint8], folder: Path, *, size: int, system: str
) -> None:
    """Write a contact sheet for each gallery, and galleries.json, which names the places of each one's faces.

    Args:
        predictions: of one split, the faces in the order of `images`.
        images: (N, 48, 48).
        folder: it will show faces, so it stays out of git.
        size: faces of a gallery, at most.
    """
    content = {}
    for name, (title, choose) in GALLERIES.items():
        places = choose(predictions)
        of = f"{title}: {system}, {min(size, len(places))} of {len(places)}"
        contact_sheet(predictions, images, places[:size], of, folder / f"{name}.png")
        content[name] = {"faces": len(places), "places": places[:size].tolist()}
    write_json(folder / "galleries.json", content)


def contact_sheet(
    predictions: Predictions, images: NDArray[np.uint8], places: NDArray[np.int64], title: str, path: Path
) -> None:
    """Draw each face over its label's and its answer's probability; `images` (N, 48, 48)."""
    rows = max(1, -(-len(places) // COLUMNS))
    with drawing(path, rows, COLUMNS, size=(1.5 * COLUMNS, 0.5 + 2.05 * rows)) as (figure, axes):
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        for axis in np.ravel(axes):
            axis.axis("off")
        if len(places) == 0:
            np.ravel(axes)[0].text(0, 0.5, "no such face", va="center")
        probabilities = predictions.probabilities
        for axis, place in zip(np.ravel(axes), places, strict=False):
            label, answer = int(predictions.labels[place]), int(predictions.predicted[place])
            axis.imshow(images[place], cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            for line, (name, emotion, colour) in enumerate((("", answer, ORANGE), ("label ", label, BLUE))):
                axis.text(
                    0, 52 + 6.5 * line, f"{name}{EMOTION_NAMES[emotion]} {100 * probabilities[place, emotion]:.0f} %",
                    color=colour, fontsize=9, va="center",
                )  # fmt: skip
            axis.text(0, 65, f"row {predictions.rows[place]}", color="#666666", fontsize=7, va="center")
