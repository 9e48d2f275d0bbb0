"""Galleries on a table of answers that can be read by eye."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from fer.constants import Emotion
from fer.explain.galleries import GALLERIES, PAIRS, write_galleries
from fer.predictions.format import Predictions

ANGER, DISGUST, FEAR, SAD = Emotion.anger, Emotion.disgust, Emotion.fear, Emotion.sad


def table() -> Predictions:
    """Label, answer, second choice and how far the answer leads the second choice."""
    rows = [
        (ANGER, ANGER, SAD, 3.0),  # right
        (ANGER, SAD, ANGER, 1.0),  # second choice right
        (SAD, ANGER, FEAR, 6.0),  # the surest mistake
        (DISGUST, ANGER, DISGUST, 0.2),  # second choice right, by less
        (FEAR, SAD, ANGER, 4.0),
    ]
    logits = np.full((len(rows), 7), -9.0, np.float32)
    for place, (_, answer, second, lead) in enumerate(rows):
        logits[place, answer], logits[place, second] = lead, 0.0
    labels = np.array([row[0] for row in rows], np.uint8)
    return Predictions(logits, labels, np.arange(50, 55), np.zeros(5, np.bool_), np.zeros(5, np.bool_))


def chosen(name: str) -> list[int]:
    places: list[int] = GALLERIES[name][1](table()).tolist()
    return places


def test_the_surest_mistakes_come_first() -> None:
    assert chosen("confident_mistakes") == [2, 4, 1, 3]


def test_second_choices() -> None:
    assert chosen("second_choice") == [3, 1]


def test_pairs_hold_both_directions_and_nothing_else() -> None:
    assert chosen("anger_sad") == [2, 1]
    assert chosen("disgust_anger") == [3]
    assert chosen("fear_sad") == [4]
    assert chosen("fear_surprise") == []
    assert [f"{first.name}_{second.name}" for first, second in PAIRS] == list(GALLERIES)[2:]


def test_sheets_are_pictures_even_of_nothing(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48)).astype(np.uint8)
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_galleries(table(), images, folder, size=3, system="toy")
    for name in GALLERIES:
        with Image.open(tmp_path / "a" / f"{name}.png") as picture:
            picture.load()
        assert (tmp_path / "a" / f"{name}.png").read_bytes() == (tmp_path / "b" / f"{name}.png").read_bytes()
    listed = json.loads((tmp_path / "a" / "galleries.json").read_text())
    assert listed["confident_mistakes"] == {"faces": 4, "places": [2, 4, 1]}
