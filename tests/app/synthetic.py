"""Photos that the tests make: synthetic faces on grey, which both detectors find."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fer.app.photos import Pixels
from fer.constants import Emotion
from fer.data.synthetic import draw_face

FACE = (100, 60, 192, 192)  # left, top, width, height of the face in the photo


def synthetic_face(seed: int = 0, emotion: Emotion = Emotion.happy) -> Pixels:
    """A face as a picture of its own, uint8 (48, 48, 3)."""
    face = draw_face(emotion, np.random.Generator(np.random.PCG64(seed)))
    return np.repeat(face[..., None], 3, axis=2)


def synthetic_photo(*seeds: int) -> Pixels:
    """A face for each seed, side by side, uint8 (320, 400 for each, 3)."""
    left, top, width, height = FACE
    photos = []
    for seed in seeds or (0,):
        photo = np.full((320, 400, 3), 128, np.uint8)
        photo[top : top + height, left : left + width] = cv2.resize(
            synthetic_face(seed), (width, height), interpolation=cv2.INTER_CUBIC
        )
        photos.append(photo)
    return np.concatenate(photos, axis=1)


def save(path: Path, pixels: Pixels) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return str(path)
