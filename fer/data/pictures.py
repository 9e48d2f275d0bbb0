"""What the data looks like: emotions of each split, some faces of each emotion, near-duplicates beside each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES, IMAGE_SIZE, Split
from fer.data.near_duplicates import NearDuplicate, read_near_duplicates
from fer.files import write_csv
from fer.plotting import BLUE, GREEN, ORANGE, drawing
from fer.store import open_store, read_split

SHOWN = 12  # faces of an emotion
PAIRS, PAIRS_A_ROW = 48, 6  # near-duplicates
SIDE = IMAGE_SIZE


def draw_data(store: Path, near_duplicates_csv: Path, *, pictures: Path, plots: Path) -> None:
    """Write classes.csv and classes.png to `plots`, and samples.png and near_duplicates.png, with faces, to `pictures`.

    Where no test face has a near-duplicate that is no exact copy, there is no near_duplicates.png.
    """
    with open_store(store) as file:
        faces = {split: read_split(file, split) for split in Split}
    labels = {split: of.labels for split, of in faces.items()}
    write_class_counts(plots / "classes.csv", labels)
    class_distribution(labels, plots / "classes.png")
    training = faces[Split.training]
    sample_faces(training.images, training.labels, pictures / "samples.png")
    pairs = least_similar(read_near_duplicates(near_duplicates_csv))
    if pairs:
        images = {int(row): image for of in faces.values() for row, image in zip(of.rows, of.images, strict=True)}
        near_duplicates(
            [images[pair.row] for pair in pairs],
            [images[pair.training_row] for pair in pairs],
            [pair.correlation for pair in pairs],
            pictures / "near_duplicates.png",
        )


def least_similar(pairs: Sequence[NearDuplicate]) -> list[NearDuplicate]:
    """Return the PAIRS least similar ones, for a person to judge; no exact copies."""
    near = [pair for pair in pairs if pair.mirrored or pair.correlation < 1]
    return sorted(near, key=lambda pair: pair.correlation)[:PAIRS]


def class_counts(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the faces of each emotion, (7,)."""
    return np.bincount(labels, minlength=len(EMOTION_NAMES)).astype(np.int64)


def write_class_counts(path: Path, labels: Mapping[Split, NDArray[np.uint8]]) -> None:
    """Write `split,emotion,faces`: a row for each split and emotion, those without faces too.

    Args:
        labels: per split, one class a face, (N,).
    """
    rows = (
        (split.value, *row)
        for split, of_split in labels.items()
        for row in zip(EMOTION_NAMES, class_counts(of_split), strict=True)
    )
    write_csv(path, ("split", "emotion", "faces"), rows)


def class_distribution(labels: Mapping[Split, NDArray[np.uint8]], path: Path) -> None:
    """Draw per cent of each split's faces that each emotion has. Report 000, figure 1."""
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


def sample_faces(images: NDArray[np.uint8], labels: NDArray[np.uint8], path: Path) -> None:
    """Draw a row of faces for each emotion, the first ones of the split; images (N, 48, 48). Report 000, figure 2."""
    with drawing(path, 7, 1, size=(SHOWN * 0.72 + 1.0, 7 * 0.74)) as (_, axes):
        for emotion, axis in enumerate(axes):
            faces = images[labels == emotion][:SHOWN]
            sheet = np.full((SIDE, (SIDE + 1) * SHOWN - 1), 255, np.uint8)
            for place, face in enumerate(faces):
                sheet[:, (SIDE + 1) * place : (SIDE + 1) * place + SIDE] = face
            axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            axis.set(xticks=[], yticks=[])
            axis.set_ylabel(EMOTION_NAMES[emotion], rotation=0, ha="right", va="center")
            axis.spines[:].set_visible(False)


def near_duplicates(
    test: Sequence[NDArray[np.uint8]],
    training: Sequence[NDArray[np.uint8]],
    correlations: Sequence[float],
    path: Path,
) -> None:
    """Draw test faces, each with the Training face that is nearly the same, (48, 48) each, and their correlation."""
    rows = -(-len(test) // PAIRS_A_ROW)
    with drawing(path, rows, PAIRS_A_ROW, size=(1.55 * PAIRS_A_ROW, 1.0 * rows + 0.4), squeeze=False) as (figure, axes):
        figure.suptitle("Test face, and its near-duplicate in Training", fontsize=11)
        for axis in axes.flat:
            axis.set_axis_off()
        gap = np.full((SIDE, 2), 255, np.uint8)
        for axis, face, other, correlation in zip(axes.flat, test, training, correlations, strict=False):
            axis.imshow(np.hstack([face, gap, other]), cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            axis.set_title(f"{correlation:.3f}", fontsize=8, loc="center", pad=2)
