"""The canvas that synthetic faces are drawn on: a head's pose, curves in face coordinates, greys.

Face coordinates: the origin on the nose, x to the viewer's right, y down, 1 = half the image.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from fer.constants import IMAGE_SIZE

Points = npt.NDArray[np.float64]  # (n, 2): x, y in face coordinates
Point = tuple[float, float]

SUPERSAMPLING = 4
CANVAS = IMAGE_SIZE * SUPERSAMPLING
SIDES = (-1.0, 1.0)
T = np.linspace(0.0, 1.0, 11)[:, None]  # (11, 1)
PARABOLA = np.stack([(1 - T) * (1 - 2 * T), 4 * T * (1 - T), T * (2 * T - 1)], axis=1)  # (11, 3, 1)
ANGLE = np.linspace(0.0, 2 * np.pi, 33)[:-1]
CIRCLE = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)  # (32, 2), clockwise on the canvas from the right


@dataclass(frozen=True)
class Pose:
    """Head pose: in-plane roll and yaw in radians, scale as a factor, shift in face coordinates."""

    roll: float
    yaw: float
    scale: float
    shift: Point

    def project(self, points: Points) -> Points:
        """Face coordinates to canvas pixels: (n, 2). The head is an ellipsoid: yaw moves its middle most."""
        x, y = points.T
        depth = np.sqrt(np.maximum(1.0 - x * x - 0.49 * y * y, 0.0))
        x = x * math.cos(self.yaw) + depth * (0.55 * math.sin(self.yaw))
        # On the complex plane, roll and scale are one product.
        turn = complex(math.cos(self.roll), math.sin(self.roll)) * self.scale
        pixels = ((x + 1j * y) * turn + (complex(*self.shift) + 1 + 1j)) * (CANVAS / 2)
        projected: Points = pixels.view(np.float64).reshape(-1, 2)
        return projected


def sample_pose(rng: np.random.Generator) -> Pose:
    """Nearly upright and frontal, as a face detector crops: standard deviations of 6 and 13 degrees."""
    shift = (rng.normal(0.0, 0.035), rng.normal(0.0, 0.035))
    return Pose(rng.normal(0.0, 0.10), rng.normal(0.0, 0.22), rng.uniform(1.0, 1.17), shift)


class Canvas:
    """A grey picture at four times the final size, drawn on in face coordinates with greys in 0..255."""

    def __init__(self, pose: Pose, background: Image.Image) -> None:
        self.pose = pose
        self._renew(background)

    def _renew(self, picture: Image.Image) -> None:
        self.picture, self.pen = picture, ImageDraw.Draw(picture)
        self.shade = Image.new("L", picture.size, 128)
        self.shade_pen = ImageDraw.Draw(self.shade)

    def fill(self, outline: Points, grey: float) -> None:
        self.pen.polygon(self._pixels(outline), fill=byte(grey))

    def stroke(self, points: Points, grey: float, width: float) -> None:
        pixels = max(1, round(width * CANVAS / 2))
        self.pen.line(self._pixels(points), fill=byte(grey), width=pixels, joint="curve")

    def fill_inside(self, outline: Points, parts: list[tuple[Points, float]]) -> None:
        """Fill the parts, in order, clipped to the outline: an iris between lids, teeth in a mouth."""
        mask = Image.new("L", self.picture.size, 0)
        ImageDraw.Draw(mask).polygon(self._pixels(outline), fill=255)
        unclipped = self.picture.copy()
        pen = ImageDraw.Draw(unclipped)
        for part, grey in parts:
            pen.polygon(self._pixels(part), fill=byte(grey))
        self.picture.paste(unclipped, mask=mask)

    def lighten(self, outline: Points, change: float) -> None:
        """Plan to add `change` grey levels inside the outline, with the soft edge of the next blend."""
        self.shade_pen.polygon(self._pixels(outline), fill=byte(128 + change))

    def blend(self, radius: float) -> None:
        """Add what was lightened and darkened, blurred by `radius` canvas pixels."""
        blurred = self.shade.filter(ImageFilter.GaussianBlur(radius))
        self._renew(ImageChops.add(self.picture, blurred, scale=1, offset=-128))

    def _pixels(self, points: Points) -> list[float]:
        # To an eighth of a pixel: the last bit of cos() differs between machines and must not tip a fill.
        flat: list[float] = (np.rint(self.pose.project(points).ravel() * 8) / 8).tolist()
        return flat


def byte(grey: float) -> int:
    return min(max(round(grey), 0), 255)


def curve(start: Point, middle: Point, end: Point) -> Points:
    """Eleven points of the parabola through the three given ones: (11, 2)."""
    points: Points = (PARABOLA * np.array([start, middle, end])).sum(axis=1)
    return points


def ellipse(x: float, y: float, half_width: float, half_height: float) -> Points:
    points: Points = CIRCLE * (half_width, half_height) + (x, y)
    return points


def between(upper: Points, lower: Points) -> Points:
    return np.concatenate([upper, lower[::-1]])


def on(side: float, points: Points) -> Points:
    return points * (side, 1.0)


def lowered(points: Points, distance: float) -> Points:
    return np.add(points, (0.0, distance))
