"""The seven emoji as text, and as pictures from DejaVu Sans, which matplotlib brings: all machines show the same."""

import functools
from pathlib import Path

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from fer.constants import Emotion

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
SUPERSAMPLING = 4
INK = "#5d4037"
EMOJI = dict(zip(Emotion, "😠🤢😨😄😢😲😐", strict=True))
DRAWN = EMOJI | {Emotion.disgust: "😖", Emotion.fear: "😧"}  # the font lacks the first and crowds the second
SKIN = dict.fromkeys(Emotion, "#ffcf4a") | {
    Emotion.anger: "#ff7a4d",
    Emotion.disgust: "#a5c94b",
    Emotion.fear: "#a9c7f2",
}


@functools.cache
def draw_emoji(emotion: Emotion, side: int) -> Image.Image:
    """Return RGBA (side, side), transparent around the face. The picture is shared: do not draw on it."""
    size = side * SUPERSAMPLING
    picture = Image.new("RGBA", (size, size))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0, 0, size - 1, size - 1), fill=SKIN[emotion])
    glyph, font = DRAWN[emotion], ImageFont.truetype(FONT, round(1.14 * size))
    left, top, right, bottom = draw.textbbox((0, 0), glyph, font=font)
    draw.text(((size - left - right) / 2, (size - top - bottom) / 2), glyph, font=font, fill=INK)
    return picture.resize((side, side), Image.Resampling.LANCZOS)
