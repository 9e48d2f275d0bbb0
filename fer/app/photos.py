"""Pictures as people have them, read into one form: RGB, upright, eight bits.

Whatever a picture's format, depth or orientation, one call gives uint8 (H, W, 3) or a PhotoError of one line.
"""

import glob
import io
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fer.errors import UserError

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB

STDIN = "-"
LARGEST_PIXELS = 80_000_000  # a 50-megapixel photo takes 150 MB; below Pillow's own limit of 89 million
LARGEST_BYTES = 512 << 20
WANTED = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not EPS, for which Pillow runs a program
SUFFIXES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

Image.init()
FORMATS = tuple(name for name in WANTED if name in Image.OPEN)  # AVIF depends on how Pillow was built

# LARGEST_PIXELS refuses what Pillow only warns of.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PhotoError(UserError):
    """A picture that cannot be read, or a name under which there is none; the message does not repeat the name."""


def find_photos(arguments: Iterable[str]) -> tuple[list[str], dict[str, PhotoError]]:
    """Files, folders (all below, sorted) and globs to names of files; what leads to none, with the reason.

    `-` stays as it is: it stands for standard input. Of a folder, only what is called like a picture is taken, and
    nothing hidden; a file that is named itself is taken whatever it is called.
    """
    found: list[str] = []
    failed: dict[str, PhotoError] = {}
    for argument in arguments:
        path = Path(argument)
        if argument == STDIN or (path.exists() and not path.is_dir()):
            found.append(argument)
        elif path.is_dir():
            inside = pictures_below(path)
            found += inside
            if not inside:
                failed[argument] = PhotoError(f"no picture in this folder (looked for {', '.join(SUFFIXES)})")
        elif matches := sorted(glob.glob(argument, recursive=True)):  # noqa: PTH207 (absolute ones too)
            of_glob, failed_of_glob = find_photos(matches)
            found += of_glob
            failed |= failed_of_glob
        else:
            failed[argument] = PhotoError("no such file or folder")
    return list(dict.fromkeys(found)), failed


def pictures_below(folder: Path) -> list[str]:
    """Sorted by name; a link to a folder is not followed, so that none leads back."""
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


class Reader:
    """Reads photos by name. What came on standard input is kept, so that it can be read again."""

    def __init__(self) -> None:
        self.standard_input: bytes | None = None

    def __call__(self, name: str) -> Pixels:
        """The picture in the file `name`, or on standard input for `-`. Raises PhotoError."""
        try:
            if name == STDIN:
                if self.standard_input is None:
                    self.standard_input = limited(sys.stdin.buffer)
                return decode(io.BytesIO(self.standard_input))
            path = Path(name)
            with path.open("rb") as file:
                return decode(file if path.is_file() else io.BytesIO(limited(file)))  # Pillow cannot go back in a pipe
        except OSError as error:
            raise PhotoError(error.strerror or str(error)) from None


def limited(stream: IO[bytes]) -> bytes:
    content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise PhotoError(f"refused: more than {LARGEST_BYTES >> 20} MB")
    return content


def decode(file: IO[bytes], largest: int = LARGEST_PIXELS) -> Pixels:
    """The picture in an open file, uint8 (H, W, 3): upright by its EXIF data, the first of an animation's frames.

    Raises PhotoError for what is no picture, is cut off, or has more than `largest` pixels, before they are decoded.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
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
        raise PhotoError("the file is empty" if empty else f"no picture; read are {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"refused: {largest // 1_000_000} megapixels are allowed") from None
    except Exception as error:  # Pillow's decoders let through whatever they trip over in a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PhotoError(f"the picture is damaged or cut off ({reason[:100]})") from None


def eight_bits(image: Image.Image) -> Image.Image:
    """RGB; what shines through is white, as most viewers show it; more than eight bits are scaled down."""
    if image.mode.startswith("I") or image.mode == "F":
        image = from_deep(np.asarray(image, dtype=np.float64))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def from_deep(values: NDArray[np.float64]) -> Image.Image:
    """Grey of 16 bits, or of any range: 0..65535 to 0..255, 0..1 likewise, another range from its ends."""
    values = np.nan_to_num(values)
    low, high = min(float(values.min()), 0.0), float(values.max())
    ceiling = next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)
    scaled = 255 * (values - low) / ((ceiling - low) or 1.0)
    return Image.fromarray(scaled.round().astype(np.uint8))
