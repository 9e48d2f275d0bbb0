"""Faces in a photo: where they are, and their crops as FER2013 has them.

Detectors disagree about where a face ends, so each one's boxes were held against FER2013's own frame: the first 1,500
faces of Training, framed by a grey border of 24 pixels and enlarged three times, were given to both (OpenCV 4.14).

    YuNet   finds 95 %; median box 39.7 x 48.4 of the 48 x 48 frame, centre (23.5, 25.0);
            48 / longer side: 0.99, quartiles 0.90 to 1.07
    Haar    finds 82 %; median box 46.7 x 46.7, centre (24.0, 23.8); 48 / side: 1.03, quartiles 0.97 to 1.11

With the edge's grey repeated as border, 1.02 for both (YuNet finds 91 %). So FER2013's frame is a square around the
box's centre whose side is MARGIN = 1.02 times the box's longer side.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fer.app import CHECKOUT
from fer.app.photos import Pixels
from fer.constants import IMAGE_SIZE
from fer.errors import UserError

MARGIN = 1.02
YUNET = "face_detection_yunet_2023mar.onnx"  # opencv_zoo, MIT
CASCADE = "haarcascade_frontalface_default.xml"
PLACES = (
    Path("data") / "weights",
    CHECKOUT / "data" / "weights",
)  # of YuNet's file: the current folder's, the project's
LARGEST_SIDE, SMALLEST_SIDE = 1280, 320  # the detectors see the photo scaled to between these
SMALLEST_FACE = 16  # pixels of the longer side in the photo; of less nobody could tell an emotion
GREY = (128, 128, 128)


@dataclass(frozen=True)
class Box:
    """In whole pixels of the upright photo; a detector's may reach beyond its edges."""

    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.left},{self.top} {self.width}x{self.height}"

    def within(self, pixels: Pixels) -> "Box":
        """Return the part of the box that lies in the photo."""
        height, width = pixels.shape[:2]
        left, right = (min(max(edge, 0), width) for edge in (self.left, self.left + self.width))
        top, bottom = (min(max(edge, 0), height) for edge in (self.top, self.top + self.height))
        return Box(left, top, right - left, bottom - top)


class Detector(Protocol):
    """Find the faces of a photo that is at most LARGEST_SIDE wide and high."""

    def boxes(self, pixels: Pixels) -> NDArray[np.float64]:
        """Return left, top, width, height of each face, in pixels: (N, 4)."""
        ...


class YuNet:
    """Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector", through OpenCV."""

    def __init__(self, model: Path) -> None:
        try:
            self.network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), 0.7, 0.3, 5000)
        except cv2.error as error:
            raise UserError(f"{model}: not YuNet's model ({error.err})") from None

    def boxes(self, pixels: Pixels) -> NDArray[np.float64]:
        self.network.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, found = self.network.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        boxes = np.empty((0, 4)) if found is None else found[:, :4].astype(np.float64)
        return boxes[np.isfinite(boxes).all(axis=1)]  # of a picture three pixels high it finds some that are not


class Haar:
    """Viola and Jones 2001, with the cascade that OpenCV 4 ships."""

    def __init__(self) -> None:
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADE
        if not path.is_file():
            raise UserError(
                f"no face detector: OpenCV {cv2.__version__} ships no cascade; install opencv-python-headless 4,\n"
                f"or put {YUNET} (opencv_zoo) into {PLACES[0]} or {PLACES[1]}"
            )
        self.cascade = cv2.CascadeClassifier(str(path))

    def boxes(self, pixels: Pixels) -> NDArray[np.float64]:
        grey = cv2.equalizeHist(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        found = self.cascade.detectMultiScale(grey, 1.1, 8, minSize=(30, 30))
        return np.asarray(found, dtype=np.float64).reshape(-1, 4)


def load_detector(places: Iterable[Path] = PLACES) -> Detector:
    """Return YuNet where its file lies in one of `places`, else OpenCV's cascade. Raise UserError without either."""
    files = (place / YUNET for place in places)
    model = next((file for file in files if file.is_file()), None)
    return YuNet(model) if model else Haar()


_one_at_a_time = threading.Lock()  # OpenCV's detectors keep state, and the page's requests come in threads


def find_faces(pixels: Pixels, detector: Detector) -> list[Box]:
    """Return the photo's faces, the largest first.

    A face that fills the whole photo has nothing around it, which detectors want: where none is found, the photo is
    looked at again, small and with a grey border.
    """
    with _one_at_a_time:
        scaled, factor = scaled_between(pixels, SMALLEST_SIDE, LARGEST_SIDE)
        found = detector.boxes(scaled) / factor
        if not len(found):
            scaled, factor = scaled_between(pixels, SMALLEST_SIDE, SMALLEST_SIDE)
            border = SMALLEST_SIDE // 2
            framed = cv2.copyMakeBorder(scaled, border, border, border, border, cv2.BORDER_CONSTANT, value=GREY)
            found = (detector.boxes(np.asarray(framed, np.uint8)) - (border, border, 0, 0)) / factor
    centres = found[:, :2] + found[:, 2:] / 2
    inside = ((centres > 0) & (centres < pixels.shape[1::-1])).all(axis=1)
    found = found[inside & (found[:, 2:].max(axis=1, initial=0) >= SMALLEST_FACE)]
    by_area = np.argsort(-found[:, 2] * found[:, 3], kind="stable")
    return [Box(*map(int, box)) for box in found[by_area].round()]


def scaled_between(pixels: Pixels, smallest: int, largest: int) -> tuple[Pixels, float]:
    """Return the photo with a longer side in `smallest`..`largest`, and the factor it was scaled by."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    factor = min(max(longer, smallest), largest) / longer
    if factor == 1:
        return pixels, 1.0
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8), factor


def crop(pixels: Pixels, box: Box) -> NDArray[np.uint8]:
    """Return the face in FER2013's frame, grey (48, 48); beyond the photo's edge its last pixels are repeated."""
    side = max(1, round(MARGIN * max(box.width, box.height)))
    left = round(box.left + (box.width - side) / 2)
    top = round(box.top + (box.height - side) / 2)
    height, width = pixels.shape[:2]
    inside = pixels[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    beyond = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    if any(beyond):
        inside = np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    return to_face(inside)


def to_face(pixels: Pixels) -> NDArray[np.uint8]:
    """Return a picture of a face alone, grey (48, 48); another size is scaled, and squeezed where it is no square."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if grey.shape != (IMAGE_SIZE, IMAGE_SIZE):
        method = cv2.INTER_AREA if min(grey.shape) > IMAGE_SIZE else cv2.INTER_CUBIC
        grey = cv2.resize(grey, (IMAGE_SIZE, IMAGE_SIZE), interpolation=method)
    return np.asarray(grey, np.uint8)
