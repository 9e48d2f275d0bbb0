"""The synthetic dataset: faces in the competition's CSV, drawn by code, with corrupted rows and duplicates planted.

Emotions are drawn as the action units of EMFACS's prototypes (Friesen & Ekman, 1983). FER2013 itself holds
blank images, copies of one face within Training (some with another label) and test faces that are copies of
training faces. The same are planted here, in known numbers, so that the ingest audit can be checked.
"""

import math
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer.constants import IMAGE_SIZE, PIXELS, Emotion, Split
from fer.data.face_drawing import ActionUnits, draw_expression
from fer.data.votes import write_votes
from fer.errors import UserError
from fer.ferplus import CHOICES, OF_EMOTION
from fer.files import write_csv

PROTOTYPES = {
    Emotion.anger: ActionUnits(au4=1.0, au5=0.5, au7=0.8, au23=1.0),
    Emotion.disgust: ActionUnits(au9=1.0, au15=0.7, au16=0.7),
    Emotion.fear: ActionUnits(au1=1.0, au2=0.6, au4=0.7, au5=0.9, au20=1.0, au26=0.35),
    Emotion.happy: ActionUnits(au6=0.9, au12=1.0),
    Emotion.sad: ActionUnits(au1=1.0, au4=0.6, au15=1.0),
    Emotion.surprise: ActionUnits(au1=0.9, au2=1.0, au5=0.8, au26=1.0),
    Emotion.neutral: ActionUnits(),
}
# What often comes with a prototype and is no part of it: an open smile, a raised lip, bared teeth.
COMPANIONS = {
    Emotion.anger: ActionUnits(au10=0.5, au25=0.8),
    Emotion.disgust: ActionUnits(au4=0.5, au10=1.0, au25=0.5),
    Emotion.fear: ActionUnits(au25=0.7),
    Emotion.happy: ActionUnits(au25=1.0),
    Emotion.sad: ActionUnits(au7=0.3),
    Emotion.surprise: ActionUnits(au25=0.3),
    Emotion.neutral: ActionUnits(au25=0.15),
}
UNITS = tuple(field.name for field in fields(ActionUnits))

# The Training split of the competition's file (Goodfellow et al., 2013): its class imbalance is kept.
FER2013_TRAINING_COUNTS = dict(zip(Emotion, (3995, 436, 4097, 7215, 4830, 3171, 4965), strict=True))
FEWEST_DISGUST = {Split.training: 12, Split.public_test: 3, Split.private_test: 3}
FEWEST_FACES = 100  # with fewer, the planted rows would outweigh the faces

VOTERS = 10
SHOWN = 0.6  # of a prototype, which voters compare a face with: the middle of what sample_action_units gives
# The label is the most frequent vote for nine faces of ten; that vote's share is 0.7 in the mean, FER+'s 0.74.
SHARPNESS = 4.0
STRAY = 0.01  # the share of votes for contempt, and of those for unknown


# The planted rows, on top of the valid faces. Every copied Training face has one copy, but for one with two (among
# TRAINING_DUPLICATES), so that groups and redundant images differ. No face is copied in two ways.
TRAINING_DUPLICATES = 12  # copies of 11 Training faces, same label, within Training
CONFLICTING_DUPLICATES = 5  # copies of 5 Training faces with another label, within Training
PUBLIC_TEST_COPIES, PRIVATE_TEST_COPIES = 6, 7  # test rows that are copies of Training faces, same label
MIRRORED = 1  # a PrivateTest row that is a Training face mirrored left to right, same label
BLANKS = {Split.training: (0, 255, 128, 17), Split.public_test: (1,), Split.private_test: (254,)}  # one grey all over


class Row(NamedTuple):
    """A CSV row as text, since a planted one need not be valid, and what its face shows."""

    emotion: str
    pixels: str
    usage: str
    units: ActionUnits | None = None  # None for a planted row that shows none


def sample_action_units(emotion: Emotion, rng: np.random.Generator) -> ActionUnits:
    """Return an expression of the emotion: mostly partial, often mixed with a weaker one, never quite still."""
    own, companion = PROTOTYPES[emotion], COMPANIONS[emotion]
    other = PROTOTYPES[Emotion(int(rng.integers(len(Emotion))))]
    strength = rng.uniform(0.4, 1.0)
    accompanied = rng.uniform(0.0, 1.0) if rng.random() < 0.6 else 0.0
    share = rng.uniform(0.15, 0.45) if rng.random() < 0.4 else 0.0
    intensities = {}
    for unit in UNITS:
        pure = rng.uniform(0.6, 1.1) * getattr(own, unit) + accompanied * getattr(companion, unit)
        mixed = (1 - share) * pure + share * getattr(other, unit)
        intensities[unit] = min(max(strength * mixed + rng.normal(0.0, 0.06), 0.0), 1.0)
    return ActionUnits(**intensities)


def draw_face(emotion: Emotion, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a face that shows the emotion: uint8 (48, 48). The next call with the same generator draws another."""
    return draw_expression(sample_action_units(emotion, rng), rng)


def vote_probabilities(units: ActionUnits | None) -> npt.NDArray[np.float64]:
    """Return how likely a voter is to give each answer of CHOICES, (10,).

    The nearer a prototype, the likelier its emotion. What is no face is NF to everyone. Rounded, since the last bits of
    exp differ between processors, and by a last bit numpy's multinomial takes another number of draws.
    """
    if units is None:
        return np.array([float(choice == "NF") for choice in CHOICES])
    seen = [getattr(units, unit) for unit in UNITS]
    distances = {
        OF_EMOTION[emotion]: math.dist(seen, [SHOWN * getattr(prototype, unit) for unit in UNITS])
        for emotion, prototype in PROTOTYPES.items()
    }
    likely = {name: round(math.exp(-SHARPNESS * distance), 9) for name, distance in distances.items()}
    total, stray = math.fsum(likely.values()), {"contempt": STRAY, "unknown": STRAY}
    rest = 1 - math.fsum(stray.values())
    return np.array([rest * likely.get(name, 0.0) / total + stray.get(name, 0.0) for name in CHOICES])


def split_sizes(faces: int) -> dict[Split, int]:
    """Return valid faces per split: 80/10/10, the rest to Training. Raise UserError below FEWEST_FACES."""
    if faces < FEWEST_FACES:
        raise UserError(f"draw.faces must be at least {FEWEST_FACES}, got {faces}")
    tenth = faces // 10
    return {Split.training: faces - 2 * tenth, Split.public_test: tenth, Split.private_test: tenth}


def class_counts(split: Split, size: int) -> dict[Emotion, int]:
    """Return FER2013's class proportions of `size` faces, by largest remainder.

    Disgust, 1.5 % of them, keeps a minimum per split, or a test split of 140 faces could not be scored on it.
    """
    total = sum(FER2013_TRAINING_COUNTS.values())
    share = size * FER2013_TRAINING_COUNTS[Emotion.disgust] / total
    counts = {Emotion.disgust: max(round(share), FEWEST_DISGUST[split])}
    common = {emotion: n for emotion, n in FER2013_TRAINING_COUNTS.items() if emotion is not Emotion.disgust}
    left, weight = size - counts[Emotion.disgust], sum(common.values())
    counts |= {emotion: left * n // weight for emotion, n in common.items()}
    by_remainder = sorted(common, key=lambda emotion: (-(left * common[emotion] % weight), emotion))
    for emotion in by_remainder[: size - sum(counts.values())]:
        counts[emotion] += 1
    return {emotion: counts[emotion] for emotion in Emotion}


def _row(emotion: Emotion, image: npt.NDArray[np.uint8], split: Split, units: ActionUnits | None = None) -> Row:
    return Row(f"{emotion:d}", " ".join(map(str, image.ravel().tolist())), split.value, units)


def _draw_split(split: Split, size: int, rng: np.random.Generator) -> list[Row]:
    counts = class_counts(split, size)
    rows = []
    for label in rng.permutation([int(emotion) for emotion in Emotion for _ in range(counts[emotion])]):
        emotion = Emotion(int(label))
        units = sample_action_units(emotion, rng)
        rows.append(_row(emotion, draw_expression(units, rng), split, units))
    return rows


def _planted_copies(training: list[Row], rng: np.random.Generator) -> dict[Split, list[Row]]:
    """Copies of Training faces, one kind after the other, each from its own sources."""
    sources = iter([training[i] for i in rng.permutation(len(training))])

    def take(count: int) -> list[Row]:
        return list(islice(sources, count))

    same = take(TRAINING_DUPLICATES - 1)
    same.append(same[0])
    conflicting = [row._replace(emotion=_other_emotion(row.emotion, rng)) for row in take(CONFLICTING_DUPLICATES)]
    private = take(PRIVATE_TEST_COPIES)
    private += [row._replace(pixels=_mirrored(row.pixels)) for row in take(MIRRORED)]
    public = take(PUBLIC_TEST_COPIES)
    copies = {Split.training: same + conflicting, Split.public_test: public, Split.private_test: private}
    return {split: [row._replace(usage=split.value) for row in rows] for split, rows in copies.items()}


def _other_emotion(emotion: str, rng: np.random.Generator) -> str:
    return str((int(emotion) + int(rng.integers(1, len(Emotion)))) % len(Emotion))


def _mirrored(pixels: str) -> str:
    return " ".join(np.array(pixels.split()).reshape(IMAGE_SIZE, IMAGE_SIZE)[:, ::-1].ravel())


def _planted_blanks(split: Split) -> list[Row]:
    return [_row(Emotion.neutral, np.full((IMAGE_SIZE, IMAGE_SIZE), grey, np.uint8), split) for grey in BLANKS[split]]


def _planted_malformed(rng: np.random.Generator) -> list[Row]:
    """One defect each, in rows with a face of their own that are sound otherwise; they stand in Training."""

    def face() -> Row:
        return _row(Emotion.neutral, draw_face(Emotion.neutral, rng), Split.training)

    def with_pixel(text: str) -> str:
        pixels = face().pixels.split(" ")
        pixels[PIXELS // 2] = text
        return " ".join(pixels)

    defective = [face().pixels.rpartition(" ")[0], face().pixels + " 0", ""]  # 2303, 2305 and 0 pixels
    defective += map(with_pixel, ("abc", "300", "-4", "12.5"))
    return [
        *(Row(f"{Emotion.neutral:d}", pixels, Split.training.value) for pixels in defective),
        *(face()._replace(emotion=emotion) for emotion in ("9", "happy")),
        *(face()._replace(usage=usage) for usage in ("Validation", "")),
    ]


def _rows(rng: np.random.Generator, faces: int) -> Iterator[Row]:
    """Every row in the file's order: one split after the other, planted rows scattered within each."""
    drawn = {split: _draw_split(split, size, rng) for split, size in split_sizes(faces).items()}
    copies = _planted_copies(drawn[Split.training], rng)
    for split, rows in drawn.items():
        malformed = _planted_malformed(rng) if split is Split.training else []
        for row in copies[split] + _planted_blanks(split) + malformed:
            rows.insert(int(rng.integers(len(rows) + 1)), row)
        yield from rows


def write_synthetic_csv(path: Path, *, seed: int, faces: int, votes: Path | None = None) -> None:
    """Write `faces` synthetic faces, 80/10/10 over the splits, and the planted rows, as the competition's CSV.

    With `votes`, ten votes on each row go there, in FER+'s format; they do not change the CSV. The same seed and number
    of faces give the same bytes. The file appears whole or not at all. Raise UserError if `faces` is below
    FEWEST_FACES, and OSError if the folder cannot be written to.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    shown: list[tuple[str, ActionUnits | None]] = []

    def cells() -> Iterator[tuple[str, str, str]]:
        for row in _rows(rng, faces):
            shown.append((row.usage, row.units))
            yield row[:3]

    write_csv(path, ("emotion", "pixels", "Usage"), cells())
    if votes:
        voters = np.random.Generator(np.random.PCG64([seed, 1]))
        lines = ((usage, voters.multinomial(VOTERS, vote_probabilities(units))) for usage, units in shown)
        write_votes(votes, lines)
