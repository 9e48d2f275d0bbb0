"""The facts about FER2013 that every part shares: its emotions, its splits, its image size.

Source: Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning
contests", 2013 (the FER2013 competition); the integers are the ones in the competition's CSV.
"""

from enum import IntEnum, StrEnum

IMAGE_SIZE = 48
PIXELS = IMAGE_SIZE * IMAGE_SIZE


class Emotion(IntEnum):
    """The seven labels, with the competition's integers."""

    anger = 0
    disgust = 1
    fear = 2
    happy = 3
    sad = 4
    surprise = 5
    neutral = 6


class Split(StrEnum):
    """The splits, as the competition spells them. Training trains, PublicTest selects, PrivateTest is read last."""

    training = "Training"
    public_test = "PublicTest"
    private_test = "PrivateTest"


TEST_SPLITS = (Split.public_test, Split.private_test)
EMOTION_NAMES = tuple(emotion.name for emotion in Emotion)
