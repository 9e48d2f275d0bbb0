"""A folder of images -> the competition's CSV. Folders and file names say each face's split and emotion.

The split: from a name such as PublicTest_123.jpg, else from a folder train, PublicTest, ... `val` and `test` beside
each other are PublicTest, which selects, and PrivateTest, which is read last; one of them alone may be either.
The emotion: from a folder (angry, 0_angry, 0), else from a file's name (Angry_17.jpg). Numbers are FER2013's.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from PIL import Image, UnidentifiedImageError

from fer.constants import IMAGE_SIZE, Emotion, Split
from fer.data.fer2013 import COLUMNS, SPLITS
from fer.data.kinds import head_of, refusal
from fer.data.names import PICTURE_FORMATS, TEST, VALIDATION, emotion_in, emotion_of, word_of
from fer.data.names import SPLITS as SPLIT_NAMES
from fer.errors import UserError
from fer.files import atomic_write

IMAGE_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # eight bits a channel at most: none loses grey values
NUMBERS = ", ".join(f"{emotion:d} {emotion.name}" for emotion in Emotion)
PIXEL_TEXTS = [str(value) for value in range(256)]
SHOWN = 3  # files named in an error
NEEDED = "needed are the folders train, PublicTest, which selects, and PrivateTest, which is read last"

Meanings = dict[str | tuple[str, ...], set[Split]]  # of a folder's name, which splits it may be


class ImagesError(UserError):
    """A folder of images from which no FER2013 CSV can be made; the message names a file and what to do."""


@dataclass(frozen=True)
class _Face:
    path: Path
    emotion: Emotion
    split: Split

    @property
    def order(self) -> tuple[int, int, int, str]:
        """By split, then by the number that ends the file's name: it does not depend on the file system."""
        number = re.search(r"(\d+)\)?(?:[\s_-]+copy.*)?$", self.path.stem, re.IGNORECASE)
        return SPLITS.index(self.split), int(number[1]) if number else -1, self.emotion, str(self.path)


def write_images(paths: Sequence[Path], folder: Path, out: Path) -> list[str]:
    """Write the images at `paths`, below `folder`, as the competition's CSV; return lines that say how they were read.

    Raise ImagesError for an image that cannot be read without loss, or whose split or emotion is unknown.
    """
    require_readable(paths)
    splits = splits_of(paths, folder)
    faces = [_Face(path, _emotion(path, folder), split) for path, split in zip(paths, splits, strict=True)]
    with atomic_write(out) as temporary, temporary.open("w", encoding="ascii", newline="\n") as target:
        target.write(f"{','.join(COLUMNS)}\n")
        _write_faces(sorted(faces, key=lambda face: face.order), target)
    return list(_said(faces, folder))


def _write_faces(faces: Sequence[_Face], target: TextIO) -> None:
    for face in faces:
        pixels = " ".join([PIXEL_TEXTS[value] for value in read_pixels(face.path)])
        target.write(f"{int(face.emotion)},{pixels},{face.split.value}\n")


def _said(faces: Sequence[_Face], folder: Path) -> Iterator[str]:
    """Yield what a person should know of a reading that is not the only possible one."""
    if any(not word_of(face.path.parent.name) and emotion_of(face.path.parent.name) is face.emotion for face in faces):
        yield f"folders with numbers are read as FER2013's: {NUMBERS}"
    read_as = {
        name.lower(): face.split
        for face in faces
        for name in _parents(face.path, folder)
        if _meant(name) in (VALIDATION, TEST) and not SPLIT_NAMES.get(word_of(_prefix(face.path)))
    }
    if read_as:
        yield ", ".join(f"the folder {name!r} is read as {split}" for name, split in sorted(read_as.items()))


def require_readable(paths: Sequence[Path]) -> None:
    """Raise ImagesError for pictures of a kind that is not read, all of them counted."""
    refused = [(path, said) for path in paths if (said := refusal(path, head_of(path)))]
    if refused:
        named = "\n".join(f"{path}: {said}" for path, said in refused[:SHOWN])
        raise ImagesError(f"{len(refused):,} of {len(paths):,} pictures cannot be read\n{named}")


def _parents(path: Path, folder: Path) -> tuple[str, ...]:
    """Return the names of the folders above a file, from the nearest outwards."""
    return tuple(reversed(path.relative_to(folder).parts[:-1]))


def _prefix(path: Path) -> str:
    return path.stem.partition("_")[0]


def _meant(name: str) -> str | tuple[str, ...]:
    """Return the name's word, where it names a validation or test folder VALIDATION or TEST."""
    word = word_of(name)
    return next((words for words in (VALIDATION, TEST) if word in words), word)


def splits_of(paths: Sequence[Path], folder: Path) -> list[Split]:
    """Return each image's split. Raise ImagesError where names contradict each other or cannot say it."""
    named = {_meant(name) for path in paths for name in _parents(path, folder)}
    meanings: Meanings = {name: {split} for name, split in SPLIT_NAMES.items()}
    both = {Split.public_test, Split.private_test}
    pair = bool(named & {VALIDATION, "publictest", "public"}) and bool(named & {TEST, "privatetest", "private"})
    meanings[VALIDATION] = {Split.public_test} if pair else both
    meanings[TEST] = {Split.private_test} if pair else both
    return [_split(path, folder, meanings) for path in paths]


def _split(path: Path, folder: Path, meanings: Meanings) -> Split:
    prefix = SPLIT_NAMES.get(word_of(_prefix(path)))
    name = next((name for name in _parents(path, folder) if _meant(name) in meanings), None)
    allowed = meanings[_meant(name)] if name else set(Split)
    if prefix and prefix in allowed:
        return prefix
    if prefix:
        raise ImagesError(f"{path}: its name says {prefix}, its folder {name!r} does not; rename one of them")
    if name and len(allowed) == 1:
        return next(iter(allowed))
    if not name:
        raise ImagesError(f"{path}: no folder above it says which split it is of\n{NEEDED}")
    raise ImagesError(f"{path}: no telling if the folder {name!r} is PublicTest or PrivateTest: rename it\n{NEEDED}")


def _emotion(path: Path, folder: Path) -> Emotion:
    """Return the emotion of the nearest folder that is no split, else of the file's own name."""
    parents = _parents(path, folder)
    inner = [name for name in parents if not _is_split(name)]
    emotion = emotion_of(inner[0]) if inner else None
    if emotion is None and (not parents or _is_split(parents[0])):
        emotion = emotion_in(path.stem)
    if emotion is None:
        raise ImagesError(
            f"{path}: {f'its folder {inner[0]!r}' if inner else 'its name'} is no emotion\n"
            f"expected {', '.join(each.name for each in Emotion)}, a usual spelling, or a number: {NUMBERS}"
        )
    return emotion


def _is_split(name: str) -> bool:
    meant = _meant(name)
    return meant in SPLIT_NAMES or meant in (VALIDATION, TEST)


def read_pixels(path: Path) -> bytes:
    """Return the 2304 grey values. Raise ImagesError for whatever is no 48x48 image of at most eight bits."""
    try:
        with Image.open(path, formats=PICTURE_FORMATS) as image:
            if image.size != (IMAGE_SIZE, IMAGE_SIZE):
                width, height = image.size
                raise ImagesError(f"{path}: {width}x{height} pixels, expected {IMAGE_SIZE}x{IMAGE_SIZE}")
            if image.mode not in IMAGE_MODES:
                raise ImagesError(f"{path}: mode {image.mode}; expected grey or RGB, eight bits a channel")
            if getattr(image, "n_frames", 1) > 1:
                raise ImagesError(f"{path}: more than one picture in it")
            return image.convert("L").tobytes()
    except ImagesError:
        raise
    except UnidentifiedImageError:
        raise ImagesError(f"{path}: no readable picture, whatever its name says") from None
    except Exception as error:  # Pillow's decoders let through whatever they trip over in a broken file
        raise ImagesError(f"{path}: no readable picture ({error})") from None
