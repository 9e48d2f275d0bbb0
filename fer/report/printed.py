"""What the five reports printed about FER2013, each with its split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer.constants import EMOTION_NAMES

ROWS = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}  # of FER2013, before any is rejected


@dataclass(frozen=True)
class Reported:
    """What a report printed about a system.

    Attributes:
        report: the report's short name, as the results table shows it.
        source: the report and the place in it, as a reader would look it up, and what it leaves open.
        accuracy: in [0, 1]; None where the report describes the system without a number.
        split: PublicTest or PrivateTest; None without a number.
        class_accuracy: per emotion, by name, the share of its faces named right, in [0, 1]; None if not printed.
        class_scores: per emotion, by name, its `precision`, `recall` and `f1` in [0, 1]; None if not printed.
    """

    report: str
    source: str
    accuracy: float | None = None
    split: str | None = None
    class_accuracy: Mapping[str, float] | None = None
    class_scores: Mapping[str, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        if (self.accuracy is None) != (self.split is None):
            raise ValueError(f"{self.source}: a printed accuracy and its split go together")
        if self.split is None and (self.class_accuracy or self.class_scores):
            raise ValueError(f"{self.source}: printed figures per class and their split go together")


def by_emotion(*shares: float) -> dict[str, float]:
    return dict(zip(EMOTION_NAMES, shares, strict=True))


REPORTED: dict[str, Reported] = {
    "cs231n_baseline": Reported("000", "report 000, baseline"),
    "cs231n": Reported("000", "report 000, best network on its validation set", 0.607, "PublicTest"),
    "cs231n_student": Reported("000", "report 000, self-distillation"),
    # Its percentages per class are shares of neither PublicTest's nor PrivateTest's class counts: 40.70 and 51.24 %
    # of anger, say, cannot both be whole numbers of 467 or of 491 faces. Its split may be one of its own.
    "le_shallow": Reported(
        "001",
        "report 001, shallow network; it does not name the split, taken as its validation set",
        0.5631,
        "PublicTest",
        class_accuracy=by_emotion(0.4070, 0.375, 0.2849, 0.7771, 0.6361, 0.6787, 0.4846),
    ),
    "le_deep": Reported(
        "001",
        "report 001, deep network; it does not name the split, taken as its validation set",
        0.6555,
        "PublicTest",
        class_accuracy=by_emotion(0.5124, 0.5714, 0.4741, 0.8663, 0.5492, 0.767, 0.6245),
    ),
    "tuwani": Reported("002", "report 002, without augmentation, on its test set", 0.589, "PrivateTest"),
    "tuwani_augmented": Reported(
        "002",
        "report 002, with augmentation, on its test set",
        0.6216,
        "PrivateTest",
        class_scores={
            "anger": {"precision": 0.52, "recall": 0.56, "f1": 0.54},
            "disgust": {"precision": 0.37, "recall": 0.18, "f1": 0.24},
            "fear": {"precision": 0.47, "recall": 0.23, "f1": 0.30},
            "happy": {"precision": 0.84, "recall": 0.87, "f1": 0.86},
            "sad": {"precision": 0.48, "recall": 0.52, "f1": 0.50},
            "surprise": {"precision": 0.70, "recall": 0.76, "f1": 0.73},
            "neutral": {"precision": 0.56, "recall": 0.69, "f1": 0.62},
        },
    ),
    "lausanne_cnn1": Reported("Lausanne", "Lausanne report, CNN1 on its validation set", 0.26, "PublicTest"),
    "lausanne_cnn2": Reported("Lausanne", "Lausanne report, CNN2: below CNN1, without a number"),
    "vgg11_frozen": Reported(
        "Lausanne", "Lausanne report, VGG11 with frozen convolutions: about 26 % of validation", 0.26, "PublicTest"
    ),
    "vgg16_finetuned": Reported(
        "Lausanne", "Lausanne report, VGG16 fine-tuned: 98 % of training, 64 % of validation", 0.64, "PublicTest"
    ),
    "vgg16_face": Reported("transfer", "report on transfer from faces, VGG16 on test", 0.705, "PrivateTest"),
    "vgg16_face_weighted": Reported(
        "transfer", "report on transfer from faces, VGG16 with class weights on test", 0.69, "PrivateTest"
    ),
    "resnet50_face": Reported("transfer", "report on transfer from faces, ResNet50 on test", 0.714, "PrivateTest"),
    "resnet50_face_weighted": Reported(
        "transfer", "report on transfer from faces, ResNet50 with class weights on test", 0.731, "PrivateTest"
    ),
}


def is_fer2013(audit: Mapping[str, Any]) -> bool:
    """Return whether metrics/data.json is of FER2013: printed numbers mean nothing beside another dataset's.

    It has FER2013's rows, and each split keeps all of its own but a few that ingest rejects.
    """
    kept = audit["kept"]
    return bool(
        audit["rows"] == sum(ROWS.values()) and all(0.99 * rows < kept[split] <= rows for split, rows in ROWS.items())
    )
