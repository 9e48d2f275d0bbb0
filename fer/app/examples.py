"""Synthetic faces to try the page with: no person's photo has to be at hand."""

import cv2
import numpy as np
from PIL import Image

from fer.app.faces import Detector, find_faces
from fer.app.photos import Pixels
from fer.app.recogniser import Recogniser
from fer.constants import Emotion
from fer.data.synthetic import draw_face

CANDIDATES, SEED = 12, 0
FACE, BORDER = 288, 56  # pixels of the face and around it


def draw_examples(recogniser: Recogniser, detector: Detector) -> list[tuple[Image.Image, str]]:
    """Return a photo for each emotion and the emotion's name.

    Of CANDIDATES drawings, the most convincing one to the network in which the detector finds a face: an example is to
    show what the page does, it is no evidence of how good the network is.
    """
    rng = np.random.Generator(np.random.PCG64(SEED))
    examples = []
    for emotion in Emotion:
        drawn = np.stack([draw_face(emotion, rng) for _ in range(CANDIDATES)])  # (CANDIDATES, 48, 48)
        photos = (as_photo(drawn[place]) for place in np.argsort(-recogniser.probabilities(drawn)[:, emotion]))
        best = next((photo for photo in photos if len(find_faces(photo, detector)) == 1), None)
        if best is not None:
            examples.append((Image.fromarray(best), emotion.name))
    return examples


def as_photo(face: np.ndarray) -> Pixels:
    """Return the face enlarged, its edge blurred outwards, with a border: uint8 (400, 400, 3) for (48, 48)."""
    large = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(large, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    return np.repeat(np.asarray(framed, np.uint8)[..., None], 3, axis=2)
