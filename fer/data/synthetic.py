"""The synthetic dataset: faces in the competition's CSV, drawn by code, with corrupted rows and duplicates planted.

Emotions are drawn as the action units of EMFACS's prototypes (Friesen & Ekman, 1983). FER2013 itself holds
blank images, copies of one face within Training (some with another label) and test faces that are copies of
training faces. The same are planted here, in known numbers, so that the ingest audit can be checked.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer.constants import IMAGE_SIZE, PIXELS, Emotion, Split
from fer.data.face_drawing import ActionUnits, draw_expression
from fer.data.votes import write_votes
from fer.errors import UserError
from fer.ferplus import CHOICES, OF_EMOTION
from fer.files import atomic_write

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
FER2013_TRAINING_COUNTS = {
    Emotion.anger: 3995,
    Emotion.disgust: 436,
    Emotion.fear: 4097,
    Emotion.happy: 7215,
    Emotion.sad: 4830,
    Emotion.surprise: 3171,
    Emotion.neutral: 4965,
}
FEWEST_DISGUST = {Split.training: 12, Split.public_test: 3, Split.private_test: 3}
FEWEST_FACES = 100  # with fewer, the planted rows would outweigh the faces

VOTERS = 10
SHOWN = 0.6  # of a prototype, which voters compare a face with: the middle of what sample_action_units gives
# The label is the most frequent vote for nine faces of ten; that vote's share is 0.7 in the mean, FER+'s 0.74.
SHARPNESS = 4.0
STRAY = 0.01  # the share of votes for contempt, and of those for unknown


@dataclass(frozen=True)
class Planted:
    """How many rows of each kind are planted, on top of the valid faces.

    Every copied Training face has one copy, but for one with two (among `training_duplicates`), so that
    groups and redundant images differ. No face is copied in two ways. No two blank images are equal, and the
    pixels of a malformed row are those of no other row.
    """

    blank: int = 6  # one grey all over, valid otherwise: 4 Training, 1 PublicTest, 1 PrivateTest
    wrong_pixel_count: int = 3  # 2303, 2305 and 0 pixels
    invalid_pixel: int = 4  # "abc", "300", "-4", "12.5"
    unknown_emotion: int = 2  # "9", "happy"
    unknown_usage: int = 2  # "Validation", ""
    training_duplicates: int = 12  # copies of 11 Training faces, same label, within Training
    conflicting_duplicates: int = 5  # copies of 5 Training faces with another label, within Training
    public_test_copies: int = 6  # PublicTest rows that are copies of Training faces, same label
    private_test_copies: int = 7  # PrivateTest rows that are copies of Training faces, same label
    mirrored: int = 1  # a PrivateTest row that is a Training face mirrored left to right, same label

    @property
    def malformed(self) -> int:
        """Rows that do not parse; with `blank`, the rows that ingest rejects."""
        return self.wrong_pixel_count + self.invalid_pixel + self.unknown_emotion + self.unknown_usage

    @property
    def redundant_images(self) -> int:
        """Valid images beyond the first of each group: valid rows minus distinct images."""
        within_training = self.training_duplicates + self.conflicting_duplicates
        return within_training + self.public_test_copies + self.private_test_copies

    @property
    def duplicate_groups(self) -> int:
        """Sets of two or more byte-identical images."""
        return self.redundant_images - 1

    @property
    def rows(self) -> int:
        """All planted rows."""
        return self.blank + self.malformed + self.redundant_images + self.mirrored


PLANTED = Planted()


@dataclass(frozen=True)
class _Row:
    """One CSV row as text, since a planted one need not be valid."""

    emotion: str
    pixels: str
    usage: str
    units: ActionUnits | None = None  # what the face shows; None for a planted row that shows none

    def __str__(self) -> str:
        return f"{self.emotion},{self.pixels},{self.usage}\n"


@dataclass(frozen=True)
class _Face:
    emotion: Emotion
    image: npt.NDArray[np.uint8]  # (48, 48)
    units: ActionUnits | None = None

    def row(self, split: Split) -> _Row:
        return _Row(str(int(self.emotion)), _pixel_text(self.image), split.value, self.units)


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


def _pixel_text(image: npt.NDArray[np.uint8]) -> str:
    return " ".join(map(str, image.ravel().tolist()))


def _draw_split(split: Split, size: int, rng: np.random.Generator) -> list[_Face]:
    counts = class_counts(split, size)
    labels = rng.permutation([int(emotion) for emotion in Emotion for _ in range(counts[emotion])])
    faces = []
    for label in labels:
        emotion = Emotion(int(label))
        units = sample_action_units(emotion, rng)
        faces.append(_Face(emotion, draw_expression(units, rng), units))
    return faces


def _planted_copies(training: list[_Face], rng: np.random.Generator) -> dict[Split, list[_Row]]:
    """Copies of Training faces, one kind after the other, each from its own sources."""
    sources = iter([training[i] for i in rng.permutation(len(training))])

    def take(count: int) -> list[_Face]:
        return [next(sources) for _ in range(count)]

    same = take(PLANTED.training_duplicates - 1)
    same.append(same[0])
    relabelled = take(PLANTED.conflicting_duplicates)
    conflicting = [replace(face, emotion=_other_emotion(face.emotion, rng)) for face in relabelled]
    private = take(PLANTED.private_test_copies)
    private += [replace(face, image=face.image[:, ::-1]) for face in take(PLANTED.mirrored)]
    copies = {
        Split.training: same + conflicting,
        Split.public_test: take(PLANTED.public_test_copies),
        Split.private_test: private,
    }
    return {split: [face.row(split) for face in faces] for split, faces in copies.items()}


def _other_emotion(emotion: Emotion, rng: np.random.Generator) -> Emotion:
    return Emotion((emotion + int(rng.integers(1, len(Emotion)))) % len(Emotion))


def _planted_blanks() -> dict[Split, list[_Row]]:
    def blank(grey: int, split: Split) -> _Row:
        return _Face(Emotion.neutral, np.full((IMAGE_SIZE, IMAGE_SIZE), grey, np.uint8)).row(split)

    return {
        Split.training: [blank(grey, Split.training) for grey in (0, 255, 128, 17)],
        Split.public_test: [blank(1, Split.public_test)],
        Split.private_test: [blank(254, Split.private_test)],
    }


def _planted_malformed(rng: np.random.Generator) -> list[_Row]:
    """One defect each, in rows with a face of their own that are sound otherwise; they stand in Training."""

    def face() -> _Row:
        return _Face(Emotion.neutral, draw_face(Emotion.neutral, rng)).row(Split.training)

    def pixel(text: str) -> str:
        pixels = face().pixels.split(" ")
        return " ".join([*pixels[: PIXELS // 2], text, *pixels[PIXELS // 2 + 1 :]])

    wrong_pixel_count = (face().pixels.rpartition(" ")[0], face().pixels + " 0", "")
    invalid_pixel = (pixel("abc"), pixel("300"), pixel("-4"), pixel("12.5"))
    defective = wrong_pixel_count + invalid_pixel
    return [
        *(_Row(str(int(Emotion.neutral)), pixels, Split.training) for pixels in defective),
        *(replace(face(), emotion=emotion) for emotion in ("9", "happy")),
        *(replace(face(), usage=usage) for usage in ("Validation", "")),
    ]


def _rows(rng: np.random.Generator, faces: int) -> Iterator[_Row]:
    """Every row in the file's order: one split after the other, planted rows scattered within each."""
    drawn = {split: _draw_split(split, size, rng) for split, size in split_sizes(faces).items()}
    copies, blanks = _planted_copies(drawn[Split.training], rng), _planted_blanks()
    for split in Split:
        planted = copies[split] + blanks[split]
        if split is Split.training:
            planted += _planted_malformed(rng)
        rows = [face.row(split) for face in drawn[split]]
        for row in planted:
            rows.insert(int(rng.integers(len(rows) + 1)), row)
        yield from rows


def write_synthetic_csv(path: Path, *, seed: int, faces: int, votes: Path | None = None) -> None:
    """Write `faces` synthetic faces, 80/10/10 over the splits, and the PLANTED rows, as the competition's CSV.

    With `votes`, ten votes on each row go there, in FER+'s format; they do not change the CSV. The same seed and number
    of faces give the same bytes. The file appears whole or not at all. Raise UserError if `faces` is below
    FEWEST_FACES, and OSError if the folder cannot be written to.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    shown: list[tuple[str, ActionUnits | None]] = []
    with atomic_write(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        file.write("emotion,pixels,Usage\n")
        for row in _rows(rng, faces):
            file.write(str(row))
            shown.append((row.usage, row.units))
    if votes:
        voters = np.random.Generator(np.random.PCG64([seed, 1]))
        lines = ((usage, voters.multinomial(VOTERS, vote_probabilities(units))) for usage, units in shown)
        write_votes(votes, lines)
