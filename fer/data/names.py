"""What files and folders are called: one table for every command that reads pictures or emotions from names."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from fer.constants import Emotion, Split

PICTURE_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
PICTURE_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # the same, as Pillow calls them
OTHER_PICTURES = (
    ".arw", ".cr2", ".cr3", ".dib", ".dng", ".heic", ".heif", ".ico", ".j2k", ".jp2", ".jxl", ".nef", ".pcx", ".psd",
    ".raf", ".svg", ".tga",
)  # fmt: skip
"""Not read here."""
CLUTTER = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what file managers add, as names that begin with a dot

EMOTIONS = {emotion.name: emotion for emotion in Emotion} | {
    "angry": Emotion.anger, "ang": Emotion.anger, "an": Emotion.anger,
    "disgusted": Emotion.disgust, "disgusting": Emotion.disgust, "dis": Emotion.disgust, "di": Emotion.disgust,
    "fearful": Emotion.fear, "afraid": Emotion.fear, "scared": Emotion.fear, "fea": Emotion.fear, "fe": Emotion.fear,
    "happiness": Emotion.happy, "joy": Emotion.happy, "hap": Emotion.happy, "ha": Emotion.happy,
    "sadness": Emotion.sad, "unhappy": Emotion.sad, "sa": Emotion.sad,
    "surprised": Emotion.surprise, "suprise": Emotion.surprise, "sur": Emotion.surprise, "su": Emotion.surprise,
    "normal": Emotion.neutral, "neu": Emotion.neutral, "ne": Emotion.neutral,
}  # fmt: skip
"""Usual spellings; two letters as in JAFFE."""

SPLITS = {
    "train": Split.training,
    "training": Split.training,
    "public": Split.public_test,
    "publictest": Split.public_test,
    "private": Split.private_test,
    "privatetest": Split.private_test,
}
"""Names that say which split they mean; a test or validation folder alone does not."""
VALIDATION = ("val", "valid", "validation", "dev")
TEST = ("test", "testing")


def word_of(name: str) -> str:
    """Return the letters of a name, in lower case: `03 Happiness - Copy (2)` is `happiness`."""
    return re.sub(r"[\W\d_]+", "", re.sub(r"(?i)[\s_-]+cop(y|ie)\b.*", "", name)).lower()


def emotion_of(name: str) -> Emotion | None:
    """Return the emotion that a folder is named after, else None: `anger`, `Angry - Copy`, `0_angry`, `0`."""
    if word := word_of(name):
        return EMOTIONS.get(word)
    return Emotion(int(name)) if name.isascii() and name.isdecimal() and int(name) < len(Emotion) else None


def emotion_in(stem: str) -> Emotion | None:
    """Return the only emotion among the words of a file's name, as in `Angry_17`; a number is none here."""
    found = {EMOTIONS[word] for word in re.findall(r"[a-z]{3,}", stem.lower()) if word in EMOTIONS}
    return found.pop() if len(found) == 1 else None


def is_clutter(name: str) -> bool:
    return name.startswith(".") or name in CLUTTER


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder, sorted, through links, each folder once; no clutter."""
    return sorted(_walk(folder, {folder.resolve()}))


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if is_clutter(entry.name):
            continue
        if entry.is_dir():
            inside = Path(entry.path)
            if (place := inside.resolve()) not in seen:
                seen.add(place)
                yield from _walk(inside, seen)
        else:
            yield Path(entry.path)


def by_suffix(paths: Iterable[Path]) -> str:
    """Return `2 .txt, 1 .HEIC, 1 without a suffix`, the most frequent first."""
    counts = Counter(path.suffix or "without a suffix" for path in paths)
    return ", ".join(f"{count:,} {suffix}" for suffix, count in counts.most_common())
