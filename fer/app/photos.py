"""Pictures as people have them, read into one form: RGB, upright, eight bits.

Whatever a picture's format, depth or orientation, one call gives uint8 (H, W, 3) or a PhotoError of one line.
"""

import glob
import io
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fer.data.kinds import Kind, head_of, kind_of
from fer.data.names import OTHER_PICTURES, PICTURE_FORMATS, PICTURE_SUFFIXES, files_below
from fer.errors import UserError

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB

STDIN = "-"
LARGEST_PIXELS = 80_000_000  # a 50-megapixel photo takes 150 MB; below Pillow's own limit of 89 million
LARGEST_BYTES = 512 << 20

# LARGEST_PIXELS refuses what Pillow only warns of.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PhotoError(UserError):
    """A picture that cannot be read, or a name under which there is none; the message does not repeat the name."""


@dataclass
class Found:
    """What some arguments lead to: names of files, names that lead to none, and what was left out of folders."""

    pictures: list[str] = field(default_factory=list)
    failed: dict[str, PhotoError] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)


def find_photos(arguments: Iterable[str]) -> Found:
    """Return the pictures of files, folders (all below, sorted) and globs, each once.

    `-` stays as it is: it stands for standard input. Of a folder, only what is called like a picture is taken, and
    nothing hidden; a file that is named itself is taken whatever it is called.
    """
    found = Found()
    for argument in arguments:
        if argument == STDIN:
            found.pictures.append(argument)
            continue
        matches = [] if exists(argument) else sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (absolute too)
        for name in matches or [argument]:
            add(found, name)
    found.pictures = list(dict.fromkeys(found.pictures))
    return found


def exists(name: str) -> bool:
    return os.path.exists(name)  # noqa: PTH110 - pathlib raises for a name that is too long


def add(found: Found, name: str) -> None:
    if not exists(name):  # a link to nowhere too, which a glob finds
        found.failed[name] = PhotoError("no such file or folder")
    elif (path := Path(name)).is_dir():
        add_folder(found, path)
    else:
        found.pictures.append(name)


def add_folder(found: Found, folder: Path) -> None:
    pictures, left_out = pictures_below(folder)
    found.pictures += pictures
    found.left_out += left_out
    if not pictures:
        found.failed[str(folder)] = PhotoError(f"no picture in this folder (looked for {', '.join(PICTURE_SUFFIXES)})")


def pictures_below(folder: Path) -> tuple[list[str], list[Path]]:
    """Return the pictures of a folder and all below it, sorted by name, and the files that are none."""
    pictures, others = [], []
    for path in files_below(folder):
        if is_picture(path):
            pictures.append(str(path))
        else:
            others.append(path)
    return pictures, others


def is_picture(path: Path) -> bool:
    """Return whether a file is called like a picture, or has no suffix and begins like one."""
    if path.suffix:
        return path.suffix.lower() in PICTURE_SUFFIXES
    try:
        return path.is_file() and kind_of(path, head_of(path)) is Kind.picture
    except OSError:
        return False


def left_out_line(paths: Iterable[Path]) -> str:
    """Return `left out: 1 .HEIC (convert it to JPEG), 2 .mp4`."""
    counts = Counter(path.suffix for path in paths)
    parts = (
        f"{count:,} {suffix or 'without a suffix'}{' (convert it to JPEG)' if suffix.lower() in OTHER_PICTURES else ''}"
        for suffix, count in sorted(counts.items())
    )
    return f"left out: {', '.join(parts)}"


class Reader:
    """Read photos by name. What came through a pipe is kept, so that it can be read again."""

    def __init__(self) -> None:
        self.piped: dict[str, bytes] = {}

    def __call__(self, name: str) -> Pixels:
        """Return the picture in the file `name`, or on standard input for `-`. Raise PhotoError."""
        try:
            if name != STDIN and Path(name).is_file():
                with Path(name).open("rb") as file:
                    return decode(file)
            if name not in self.piped:
                with nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as stream:
                    self.piped[name] = limited(stream)
            return decode(io.BytesIO(self.piped[name]))
        except OSError as error:
            raise PhotoError(error.strerror or str(error)) from None


def limited(stream: IO[bytes]) -> bytes:
    content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise PhotoError(f"refused: more than {LARGEST_BYTES >> 20} MB")
    return content


def decode(file: IO[bytes], largest: int = LARGEST_PIXELS) -> Pixels:
    """Return the picture in an open file, uint8 (H, W, 3): upright by its EXIF data, an animation's first frame.

    Raise PhotoError for what is no picture, is cut off, or has more than `largest` pixels, before they are decoded.
    """
    try:
        with Image.open(file, formats=PICTURE_FORMATS) as image:
            width, height = image.size
            if width * height > largest:
                raise PhotoError(f"refused: {width}x{height} pixels, {largest // 1_000_000} megapixels are allowed")
            image.load()
            return np.asarray(eight_bits(ImageOps.exif_transpose(image)))
    except PhotoError:
        raise
    except UnidentifiedImageError:
        file.seek(0)
        empty = not file.read(1)
        read = ", ".join(PICTURE_FORMATS)
        raise PhotoError("the file is empty" if empty else f"no picture; read are {read}") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"refused: {largest // 1_000_000} megapixels are allowed") from None
    except Exception as error:  # Pillow's decoders let through whatever they trip over in a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PhotoError(f"the picture is damaged or cut off ({reason[:100]})") from None


def eight_bits(image: Image.Image) -> Image.Image:
    """Return RGB; what shines through is white, as most viewers show it; more than eight bits are scaled down."""
    if image.mode.startswith("I") or image.mode == "F":
        image = from_deep(np.asarray(image, dtype=np.float64))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def from_deep(values: NDArray[np.float64]) -> Image.Image:
    """Return grey of 16 bits, or of any range, in eight: 0..65535 and 0..1 to 0..255, another range from its ends."""
    finite = values[np.isfinite(values)]
    values = np.nan_to_num(values, posinf=finite.max(initial=0.0), neginf=finite.min(initial=0.0))
    low, high = min(float(values.min()), 0.0), float(values.max())
    ceiling = next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)
    scaled = 255 * (values - low) / ((ceiling - low) or 1.0)
    return Image.fromarray(scaled.round().astype(np.uint8))
