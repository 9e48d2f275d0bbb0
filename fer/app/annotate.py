"""Photos with their faces framed and named."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fer.app.emoji import SKIN, draw_emoji
from fer.app.faces import Box
from fer.app.photos import STDIN, Pixels
from fer.app.predict import Face
from fer.constants import Emotion
from fer.files import atomic_write

QUALITY = 92  # of the JPEG files
LABEL = "#202124"
LETTERS = 12  # pixels; at least
NUMBERS = 28  # the photo's longer side has so many of the smallest numbers: the page shows the photo small


def annotate(pixels: Pixels, faces: Iterable[Face]) -> Image.Image:
    """Return the photo with each face's box and a label: emoji, emotion, probability. The largest face lies on top."""
    picture = Image.fromarray(pixels)
    for face in reversed(tuple(faces)):
        first = face.ranked[0]
        size = draw_box(picture, face, LETTERS)
        draw_label(picture, face.box, size, f"{first.name} {100 * face.probability(first):.0f} %", first)
    return picture


def numbered(pixels: Pixels, faces: Iterable[Face]) -> Image.Image:
    """Return the photo with each face's box and its number, from 1."""
    picture = Image.fromarray(pixels)
    smallest = max(LETTERS, max(picture.size) // NUMBERS)
    for number, face in reversed(tuple(enumerate(faces, start=1))):
        draw_label(picture, face.box, draw_box(picture, face, smallest), str(number))
    return picture


def draw_box(picture: Image.Image, face: Face, smallest: int) -> int:
    """Draw the box; return the size of the letters that fit it, in pixels."""
    box = face.box
    size = max(smallest, min(box.width // 5, min(picture.size) // 12))
    corners = (box.left, box.top, box.left + box.width, box.top + box.height)
    colour = SKIN[face.ranked[0]]
    ImageDraw.Draw(picture).rounded_rectangle(corners, radius=size // 3, outline=colour, width=line_width(size))
    return size


def line_width(size: int) -> int:
    return max(2, size // 8)


def draw_label(picture: Image.Image, box: Box, size: int, text: str, emotion: Emotion | None = None) -> None:
    """Draw it above the box, below it where there is no room, and always inside the picture."""
    font, width, height, pad = ImageFont.load_default(size), line_width(size), round(1.5 * size), size // 3
    start = pad if emotion is None else pad + height  # where the text begins, after the emoji
    wide = start + round(font.getlength(text)) + pad
    left = max(0, min(box.left, picture.width - wide))
    above, below = box.top - height - width, box.top + box.height + width
    top = above if above >= 0 else min(below, picture.height - height)
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((left, top, left + wide, top + height), radius=pad, fill=LABEL)
    if emotion is not None:
        drawn = draw_emoji(emotion, round(1.2 * size))
        picture.paste(drawn, (left + pad, top + round(0.15 * size)), drawn)
    draw.text((left + start, top + height // 2), text, font=font, fill="white", anchor="lm")


class Annotations:
    """Write DIR/{name of the photo}_faces.jpg; where a file has that name already _faces_2, and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, file: str, pixels: Pixels, faces: Iterable[Face]) -> Path:
        """Return the file. Raise OSError if the folder cannot be written to."""
        stem = "stdin" if file == STDIN else Path(file).stem
        name, count = f"{stem}_faces.jpg", 1
        while (self.folder / name).exists():  # perhaps a photo of the user's
            count += 1
            name = f"{stem}_faces_{count}.jpg"
        with atomic_write(self.folder / name) as temporary:
            annotate(pixels, faces).save(temporary, "JPEG", quality=QUALITY)
        return self.folder / name
