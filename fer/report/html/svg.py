"""Small inline drawings for the report: plain SVG in the page's own colours, with a <title> where a pointer rests.

Colours are the page's CSS classes, so that a drawing follows the light and the dark scheme. Numbers are rounded, so
that the same data give the same bytes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from fer.constants import EMOTION_NAMES

EMPTY = Markup("")
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Line(NamedTuple):
    """A named line; `css` is its class in the page: a, b, c, d or e."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]


class Dot(NamedTuple):
    """A value with its interval, all in [0, 1]."""

    name: str
    css: str
    value: float
    low: float
    high: float


def join(parts: Sequence[Markup]) -> Markup:
    return EMPTY.join(parts)


def legend(names: Mapping[str, str]) -> Markup:
    """Return a line of marks; `names` maps a CSS class to what it stands for."""
    items = [Markup('<span class="key {}"></span>{}').format(css, name) for css, name in names.items()]
    return Markup('<p class="legend">{}</p>').format(Markup(" &ensp; ").join(items))


def dots(
    values: Sequence[Dot], mark: float | None, low: float, high: float, mark_name: str = "printed in the report"
) -> Markup:
    """Return a strip from `low` to `high`: a line of interval and dot for each value, an upright line for `mark`."""
    height = 9 * len(values) + 3

    def x(value: float) -> float:
        return 160 * (value - low) / (high - low)

    drawn = [Markup('<line class="rule" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(at, height) for at in (0, 80, 160)]
    for place, dot in enumerate(values):
        y = 6 + 9 * place
        drawn.append(
            Markup(
                '<g class="{}"><title>{}: {:.1f} %, 95 % interval {:.1f} to {:.1f}</title>'
                '<line class="bar" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/><circle cx="{:.1f}" cy="{}" r="2.4"/></g>'
            ).format(
                dot.css,
                dot.name,
                100 * dot.value,
                100 * dot.low,
                100 * dot.high,
                x(dot.low),
                x(dot.high),
                y,
                y,
                x(dot.value),
                y,
            )
        )
    if mark is not None:
        drawn.append(
            Markup('<g class="cross"><title>{}: {:.4g} %</title><path d="M{:.1f} 1v{}"/></g>').format(
                mark_name, 100 * mark, x(mark), height - 2
            )
        )
    return Markup('<svg class="strip" viewBox="-4 0 168 {0}" width="168" height="{0}" role="img">{1}</svg>').format(
        height, join(drawn)
    )


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    x_ticks: Sequence[float] = QUARTERS,
    y_range: tuple[float, float] = (0.0, 1.0),
    per_cent: tuple[bool, bool] = (False, False),
    diagonal: bool = False,
) -> Markup:
    """Return lines over common axes, in a card; `per_cent` says of which axis, x and y, the numbers are shares."""
    points = [point for line in lines for point in line.points]
    if not points:
        return EMPTY
    xs = [*x_ticks, *(x for x, _ in points)]
    x0, x1 = min(xs), max(*xs, min(xs) + 1e-9)
    y0, y1 = y_range
    left, top, width, height = 40, 12, 250, 140

    def place(point: tuple[float, float]) -> str:
        x = left + width * (point[0] - x0) / (x1 - x0)
        return f"{x:.1f},{top + height * (1 - (min(max(point[1], y0), y1) - y0) / (y1 - y0)):.1f}"

    drawn = []
    for step in range(5):
        value, y = y0 + (y1 - y0) * step / 4, top + height * (1 - step / 4)
        drawn.append(
            Markup('<line class="rule" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(left, left + width, y, y)
        )
        drawn.append(
            Markup('<text class="tick end" x="{}" y="{:.1f}">{}</text>').format(
                left - 5, y + 3.5, number(value, per_cent[1])
            )
        )
    for value in x_ticks:
        x = left + width * (value - x0) / (x1 - x0)
        drawn.append(
            Markup('<text class="tick mid" x="{:.1f}" y="{}">{}</text>').format(
                x, top + height + 14, number(value, per_cent[0])
            )
        )
    if diagonal:
        drawn.append(Markup('<polyline class="rule dashed" points="{} {}"/>').format(place((x0, x0)), place((x1, x1))))
    for line in lines:
        path = " ".join(place(point) for point in line.points)
        drawn.append(
            Markup('<g class="{}"><title>{}</title><polyline points="{}"/></g>').format(line.css, line.name, path)
        )
    drawn.append(
        Markup('<text class="tick mid" x="{}" y="{}">{}</text>').format(left + width / 2, top + height + 29, x_label)
    )
    return Markup(
        '<figure class="card"><figcaption>{}</figcaption><svg viewBox="0 0 310 186" role="img">{}</svg></figure>'
    ).format(title, join(drawn))


def number(value: float, per_cent: bool) -> str:
    return f"{100 * value:.0f} %" if per_cent else f"{value:.3g}"


def matrix(title: str, counts: Sequence[Sequence[int]]) -> Markup:
    """Return actual by predicted, each cell its share of the row in per cent; the pointer shows the faces."""
    drawn = []
    for actual, row in enumerate(counts):
        total = max(sum(row), 1)
        drawn.append(
            Markup('<text class="tick end" x="52" y="{}">{}</text>').format(31 + 28 * actual, EMOTION_NAMES[actual])
        )
        drawn.append(
            Markup('<text class="tick turned" transform="translate({} 222) rotate(-45)">{}</text>').format(
                74 + 28 * actual, EMOTION_NAMES[actual]
            )
        )
        for predicted, faces in enumerate(row):
            share = faces / total
            drawn.append(
                Markup(
                    '<g class="cell{}"><title>{} named {}: {:,} of {:,} faces, {:.1f} %</title>'
                    '<rect x="{}" y="{}" width="27" height="27" style="--share:{:.2f}"/>'
                    '<text x="{}" y="{}">{:.0f}</text></g>'
                ).format(
                    " strong" if share > 0.5 else "",
                    EMOTION_NAMES[actual],
                    EMOTION_NAMES[predicted],
                    faces,
                    total,
                    100 * share,
                    57 + 28 * predicted,
                    13 + 28 * actual,
                    share,
                    70.5 + 28 * predicted,
                    31 + 28 * actual,
                    100 * share,
                )
            )
    return Markup(
        '<figure class="card"><figcaption>{}</figcaption><svg viewBox="0 0 260 262" role="img">{}</svg></figure>'
    ).format(title, join(drawn))


def groups(values: Mapping[str, Sequence[float]], notes: Mapping[str, Sequence[str]]) -> Markup:
    """Return bars for each emotion, one a group (a split); values are shares, `notes` what the pointer shows."""
    highest = max((max(shares) for shares in values.values()), default=1.0) or 1.0
    drawn = [
        Markup('<text class="tick mid" x="{}" y="172">{}</text>').format(45 + 78 * place, name)
        for place, name in enumerate(EMOTION_NAMES)
    ]
    for group, (name, shares) in enumerate(values.items()):
        for place, share in enumerate(shares):
            height = 150 * share / highest
            drawn.append(
                Markup(
                    '<g class="{}"><title>{}</title><rect x="{}" y="{:.1f}" width="19" height="{:.1f}"/></g>'
                ).format("abcde"[group], notes[name][place], 15 + 78 * place + 21 * group, 158 - height, height)
            )
    return Markup('<svg class="wide" viewBox="0 0 560 180" role="img">{}</svg>').format(join(drawn))
