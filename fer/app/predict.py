"""Photos to rows, one a face: read, find the faces, predict them in batches."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.app.emoji import EMOJI
from fer.app.faces import Box, Detector, crop, find_faces, to_face
from fer.app.photos import PhotoError, Pixels
from fer.constants import EMOTION_NAMES, Emotion

BATCH = 64  # faces predicted at once

SMALL = 64  # pixels; a photo of so few is likely a face that somebody has cut out


@dataclass(frozen=True)
class Crops:
    """The faces that were found in a picture of `size`, (width, height)."""

    boxes: list[Box]  # N, each within the picture
    faces: NDArray[np.uint8]  # grey, (N, 48, 48)
    size: tuple[int, int]


@dataclass(frozen=True)
class Face:
    """One face of a photo and what the network says of it."""

    box: Box
    probabilities: NDArray[np.float32]  # (7,)

    @property
    def ranked(self) -> list[Emotion]:
        """Return the most probable emotion first; of equal ones the lower class."""
        return [Emotion(int(label)) for label in np.argsort(-self.probabilities, kind="stable")]

    def probability(self, emotion: Emotion) -> float:
        return float(self.probabilities[emotion])


@dataclass(frozen=True)
class Result:
    """One file: its faces, which may be none, or the reason why it has no result."""

    file: str
    faces: tuple[Face, ...] = ()
    error: PhotoError | None = None
    size: tuple[int, int] | None = None  # width and height of the picture

    @property
    def is_small_square(self) -> bool:
        """Whether the picture looks like a cropped face itself, as FER2013's images are."""
        return self.size is not None and max(self.size) <= SMALL and max(self.size) <= 1.25 * min(self.size)


def recognise(
    names: Iterable[str],
    read: Callable[[str], Pixels],
    crops_of: Callable[[Pixels], Crops],
    probabilities_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    *,
    batch: int = BATCH,
) -> Iterator[Result]:
    """Yield a result for each name, in order; a file that cannot be read does not stop the others.

    No more than a photo and about `batch` faces, (48, 48) each, are in memory.
    """
    waiting: list[tuple[str, Crops | PhotoError]] = []
    faces = 0
    for name in names:
        try:
            crops: Crops | PhotoError = crops_of(read(name))
        except PhotoError as error:
            crops = error
        waiting.append((name, crops))
        faces += 0 if isinstance(crops, PhotoError) else len(crops.boxes)
        if faces >= batch or len(waiting) >= batch:
            yield from predicted(waiting, probabilities_of)
            waiting, faces = [], 0
    yield from predicted(waiting, probabilities_of)


def predicted(
    waiting: list[tuple[str, Crops | PhotoError]],
    probabilities_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Iterator[Result]:
    """Yield the results of all waiting pictures, their faces in one call of the network."""
    crops = [crops.faces for _, crops in waiting if not isinstance(crops, PhotoError) and crops.boxes]
    rows = iter(probabilities_of(np.concatenate(crops)) if crops else ())
    for name, found in waiting:
        if isinstance(found, PhotoError):
            yield Result(name, error=found)
        else:
            yield Result(name, tuple(Face(box, next(rows)) for box in found.boxes), size=found.size)


def crops_by(detector: Detector) -> Callable[[Pixels], Crops]:
    """Return what finds a photo's faces in FER2013's frame, the largest first."""

    def crops_of(pixels: Pixels) -> Crops:
        boxes = find_faces(pixels, detector)
        faces = np.stack([crop(pixels, box) for box in boxes]) if boxes else np.empty((0, 48, 48), np.uint8)
        return Crops([box.within(pixels) for box in boxes], faces, (pixels.shape[1], pixels.shape[0]))

    return crops_of


def whole_picture(pixels: Pixels) -> Crops:
    """Return the one face of a picture that is a cropped face already."""
    height, width = pixels.shape[:2]
    return Crops([Box(0, 0, width, height)], to_face(pixels)[None], (width, height))


def as_line(file: str, face: Face) -> str:
    """Return `a.jpg: 163,75 108x141: 😄 happy 97.1 %, then 😐 neutral 1.6 %`"""
    first, second = face.ranked[:2]
    return (
        f"{file}: {face.box}: {EMOJI[first]} {first.name} {100 * face.probability(first):.1f} %, "
        f"then {EMOJI[second]} {second.name} {100 * face.probability(second):.1f} %"
    )


def as_row(file: str, face: Face) -> dict[str, Any]:
    """Return the columns of `--csv`; probabilities are fractions with six digits."""
    first, second = face.ranked[:2]
    shares = {name: round(float(share), 6) for name, share in zip(EMOTION_NAMES, face.probabilities, strict=True)}
    return {
        "file": file,
        **vars(face.box),
        "emotion": first.name,
        "probability": shares[first.name],
        "second": second.name,
        "second_probability": shares[second.name],
        **shares,
    }


CSV_HEADER = (
    "file", *Box.__dataclass_fields__, "emotion", "probability", "second", "second_probability", *EMOTION_NAMES
)  # fmt: skip


def as_rows(result: Result) -> list[dict[str, Any]]:
    """Return a row a face, and one with nothing but the file's name where there is no face or no picture."""
    return [as_row(result.file, face) for face in result.faces] or [{"file": result.file}]


def as_json(result: Result) -> dict[str, Any]:
    """Return one file of `--json`: its faces, or its error."""
    if result.error:
        return {"file": result.file, "error": str(result.error)}
    faces = []
    for face in result.faces:
        row = as_row(result.file, face)
        faces.append(
            {
                "box": vars(face.box),
                **{name: row[name] for name in ("emotion", "probability", "second", "second_probability")},
                "emoji": EMOJI[face.ranked[0]],
                "probabilities": {name: row[name] for name in EMOTION_NAMES},
            }
        )
    return {"file": result.file, "faces": faces}
