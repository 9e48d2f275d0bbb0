"""The seven emoji as drawings of our own: a machine need not have a font with them, and all show the same.

Coordinates and widths are fractions of the side, y down.
"""

import functools

from PIL import Image, ImageDraw

from fer.constants import Emotion

SUPERSAMPLING = 4
INK, WHITE, TEETH, TONGUE, TEAR = "#5d4037", "#ffffff", "#fffdf7", "#e57373", "#4fa8e8"
EMOJI = {
    Emotion.anger: "😠",
    Emotion.disgust: "🤢",
    Emotion.fear: "😨",
    Emotion.happy: "😄",
    Emotion.sad: "😢",
    Emotion.surprise: "😲",
    Emotion.neutral: "😐",
}
SKIN = {
    Emotion.anger: "#ff7a4d",
    Emotion.disgust: "#a5c94b",
    Emotion.fear: "#a9c7f2",
    Emotion.happy: "#ffcf4a",
    Emotion.sad: "#ffcf4a",
    Emotion.surprise: "#ffcf4a",
    Emotion.neutral: "#ffcf4a",
}

Ends = tuple[float, float, float, float]


class Pen:
    """Draws on a square of `side` pixels in fractions of it."""

    def __init__(self, picture: Image.Image) -> None:
        self.side = picture.width
        self.draw = ImageDraw.Draw(picture)

    def scaled(self, *fractions: float) -> list[float]:
        return [fraction * self.side for fraction in fractions]

    def oval(self, x: float, y: float, width: float, height: float, colour: str = INK) -> None:
        """Around its centre."""
        box = self.scaled(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self.draw.ellipse(box, fill=colour)

    def arc(self, box: Ends, start: int, end: int, width: float = 0.06) -> None:
        """Degrees clockwise from the right."""
        self.draw.arc(self.scaled(*box), start, end, fill=INK, width=round(width * self.side))

    def line(self, *points: tuple[float, float], width: float = 0.06) -> None:
        flat = [(x * self.side, y * self.side) for x, y in points]
        self.draw.line(flat, fill=INK, width=round(width * self.side), joint="curve")
        for x, y in points:
            self.oval(x, y, width, width)

    def eyes(self, width: float = 0.1, height: float = 0.15, y: float = 0.42, colour: str = INK) -> None:
        for x in (0.32, 0.68):
            self.oval(x, y, width, height, colour)

    def brows(self, outer: float, inner: float) -> None:
        self.line((0.2, outer), (0.41, inner), width=0.05)
        self.line((0.8, outer), (0.59, inner), width=0.05)


def _anger(pen: Pen) -> None:
    pen.eyes(y=0.47, height=0.13)
    pen.brows(0.3, 0.41)
    pen.arc((0.32, 0.64, 0.68, 0.94), 200, 340)


def _disgust(pen: Pen) -> None:
    pen.brows(0.3, 0.36)
    pen.line((0.24, 0.44), (0.4, 0.46))
    pen.line((0.76, 0.44), (0.6, 0.46))
    pen.arc((0.26, 0.58, 0.74, 0.98), 205, 335)
    pen.draw.pieslice(pen.scaled(0.44, 0.5, 0.68, 0.88), 10, 170, fill=TONGUE)


def _fear(pen: Pen) -> None:
    pen.brows(0.28, 0.19)
    pen.eyes(0.21, 0.23, 0.41, WHITE)
    pen.eyes(0.08, 0.1, 0.42)
    pen.draw.rounded_rectangle(pen.scaled(0.3, 0.65, 0.7, 0.83), radius=0.08 * pen.side, fill=INK)
    pen.draw.rectangle(pen.scaled(0.35, 0.69, 0.65, 0.735), fill=TEETH)


def _happy(pen: Pen) -> None:
    for left in (0.22, 0.58):
        pen.arc((left, 0.33, left + 0.2, 0.55), 190, 350)
    pen.draw.pieslice(pen.scaled(0.2, 0.34, 0.8, 0.88), 12, 168, fill=INK)
    pen.draw.chord(pen.scaled(0.2, 0.34, 0.8, 0.88), 12, 168, fill=INK)
    pen.draw.rectangle(pen.scaled(0.265, 0.64, 0.735, 0.69), fill=TEETH)


def _sad(pen: Pen) -> None:
    pen.brows(0.34, 0.26)
    pen.eyes()
    pen.arc((0.32, 0.66, 0.68, 0.98), 205, 335)
    pen.oval(0.74, 0.64, 0.13, 0.19, TEAR)
    pen.draw.polygon(pen.scaled(0.69, 0.6, 0.74, 0.47, 0.79, 0.6), fill=TEAR)


def _surprise(pen: Pen) -> None:
    for left in (0.21, 0.59):
        pen.arc((left, 0.17, left + 0.2, 0.33), 195, 345, width=0.045)
    pen.eyes(0.12, 0.17, 0.4)
    pen.oval(0.5, 0.72, 0.24, 0.3)


def _neutral(pen: Pen) -> None:
    pen.eyes()
    pen.line((0.32, 0.7), (0.68, 0.7))


FEATURES = {
    Emotion.anger: _anger,
    Emotion.disgust: _disgust,
    Emotion.fear: _fear,
    Emotion.happy: _happy,
    Emotion.sad: _sad,
    Emotion.surprise: _surprise,
    Emotion.neutral: _neutral,
}


@functools.cache
def draw_emoji(emotion: Emotion, side: int) -> Image.Image:
    """RGBA (side, side), transparent around the face. The picture is shared: do not draw on it."""
    picture = Image.new("RGBA", (side * SUPERSAMPLING,) * 2)
    pen = Pen(picture)
    pen.oval(0.5, 0.5, 0.98, 0.98, SKIN[emotion])
    FEATURES[emotion](pen)
    return picture.resize((side, side), Image.Resampling.LANCZOS)
