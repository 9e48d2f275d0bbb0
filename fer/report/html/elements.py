"""Elements of the page: elements.html.j2 has their markup, and escapes all text that comes from data.

Numbers are rounded, so that the same data give the same bytes.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from fer.constants import EMOTION_NAMES
from fer.report.text import per_cent

TEMPLATE = Path(__file__).with_name("elements.html.j2")
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
STRIP = 200  # units of a strip's width


class Section(NamedTuple):
    """A part of the page: `name` is its anchor."""

    name: str
    title: str
    body: Markup


class Line(NamedTuple):
    """A named line; `css` is its class in the page: a, b, c, d or e."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]


def macros() -> Any:
    """Return the template's macros; its lines are joined, so that no white space stands between elements."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"per_cent": per_cent, "count": "{:,}".format, "px": "{:.1f}".format, "along": along}
    environment.globals |= {"emotions": EMOTION_NAMES, "strip": STRIP}
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    return environment.from_string("".join(line.strip() for line in lines)).module


def along(value: float, low: float, high: float) -> str:
    """Return where the value stands in a strip from `low` to `high`."""
    return f"{STRIP * (value - low) / (high - low):.1f}"


html = macros()


def paragraph(text: str, *values: object) -> Markup:
    return Markup("<p>") + Markup(text).format(*values) + Markup("</p>")


def picture(pixels: NDArray[np.uint8], words: str) -> Markup:
    """Return an image element that holds its PNG; grey (H, W) or RGB (H, W, 3)."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    text = base64.b64encode(content.getvalue()).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}" loading="lazy">').format(text, words)


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    x_ticks: Sequence[float] = QUARTERS,
    y_range: tuple[float, float] = (0.0, 1.0),
    shares: tuple[bool, bool] = (False, False),
    diagonal: bool = False,
) -> Markup:
    """Return lines over common axes, in a card; `shares` says of which axis, x and y, the numbers are shares."""
    xs = [*x_ticks, *(x for line in lines for x, _ in line.points)]
    x0, x1 = min(xs), max(*xs, min(xs) + 1e-9)
    y0, y1 = y_range

    def across(x: float) -> float:
        return 40 + 250 * (x - x0) / (x1 - x0)

    def down(y: float) -> float:
        return 12 + 140 * (1 - (min(max(y, y0), y1) - y0) / (y1 - y0))

    def path(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)

    heights = [y0 + (y1 - y0) * share for share in QUARTERS]
    return Markup(
        html.chart(
            title,
            x_label,
            rows=[(down(y), tick(y, shares[1])) for y in heights],
            columns=[(across(x), tick(x, shares[0])) for x in x_ticks],
            diagonal=path([(x0, x0), (x1, x1)]) if diagonal else "",
            lines=[(line.css, line.name, path(line.points)) for line in lines],
        )
    )


def tick(value: float, share: bool) -> str:
    return f"{100 * value:.0f} %" if share else f"{value:.3g}"
