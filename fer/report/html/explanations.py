"""The section about what the networks look at: mean maps, region analysis, faithfulness; it shows no face."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES
from fer.report.html.elements import Line, Section, chart, html, paragraph, picture
from fer.report.material import Material

COLOURS = "inferno"
METHODS = {"saliency": "Saliency", "occlusion": "Occlusion", "grad_cam": "Grad-CAM"}
LINES = METHODS | {"random_pixels": "random pixels", "random_blots": "random blots"}
CSS = dict(zip(LINES, "acbde", strict=True))


def explanations(material: Material) -> Section | None:
    """Return the systems of run.explain, from the numbers that their stage left."""
    body = Markup("")
    for name, found in material.explained.items():
        body += Markup("<h3>{}, seed {}: mean maps of {} faces of PrivateTest</h3>").format(
            name, found["seed"], found["faces"]
        )
        body += mean_maps(found["mean_maps"])
        body += html.bullets(claims(found))
        body += Markup("<h4>Are the maps faithful?</h4>") + faithfulness(found)
    intro = paragraph(
        "Where the answer for the labelled emotion comes from, over each emotion's first faces, right or wrong. "
        "Report 000 says that anger is read from the upper half of the face and happiness from the lower one."
    )
    return Section("maps", "What the networks look at", intro + body) if body else None


def mean_maps(maps: Mapping[str, Mapping[str, str]]) -> Markup:
    """Return a grid of each method's map of each emotion."""
    rows = {
        title: [tile(maps[name][emotion], f"{title}, {emotion}") for emotion in EMOTION_NAMES]
        for name, title in METHODS.items()
    }
    return Markup(html.mean_maps(rows))


def tile(encoded: str, words: str) -> Markup:
    """Return one mean map, uint8 in base64, as a picture in colour."""
    grey = np.frombuffer(b64decode(encoded), np.uint8)
    side = round(len(grey) ** 0.5)
    return picture(colours()[grey].reshape(side, side, 3), words)


def colours() -> NDArray[np.uint8]:
    """Return a colour for each grey value, uint8 (256, 3)."""
    import matplotlib as mpl  # noqa: PLC0415 - slow, and the page's text does not need it

    return np.asarray((255 * mpl.colormaps[COLOURS](np.arange(256))[:, :3]).round().astype(np.uint8))


def claims(found: Mapping[str, Any]) -> list[str]:
    """Return report 000's claims against each method's maps, in words."""
    lines = []
    for method, title in METHODS.items():
        located = found["upper_half"][method]
        lines += [f"{title}: {claim(emotion, half, located[emotion])}" for emotion, half in found["claims"].items()]
        if higher := located["anger_minus_happy"]:
            mean, low, high = (100 * higher[key] for key in ("mean", "low", "high"))
            lines.append(
                f"{title}: anger's maps have {mean:+.1f} points more in the upper half than happiness's, "
                f"95 % interval {low:+.1f} to {high:+.1f}"
            )
    return lines


def claim(emotion: str, half: str, found: Mapping[str, Any] | None) -> str:
    """Return what part of the emotion's maps lies in the half that report 000 names."""
    if found is None:
        return f"{emotion}: no face to measure on"
    mean, low, high = found["mean"], found["low"], found["high"]
    if half == "lower":
        mean, low, high = 1 - mean, 1 - high, 1 - low
    word = "as report 000 says" if low > 0.5 else "against report 000" if high < 0.5 else "not shown either way"
    return (
        f"{emotion}: {100 * mean:.1f} % of the map lies in the {half} half of the face, "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} over {found['faces']} faces: {word}"
    )


def faithfulness(found: Mapping[str, Any]) -> Markup:
    """Return the areas under the curves with their intervals, then the curves."""
    scores = found["faithfulness"]
    rows = [(LINES[name], *(interval(scores[name][kind]) for kind in ("deletion", "insertion"))) for name in LINES]
    charts = [
        chart(
            f"{kind}: {good} is better",
            [Line(title, CSS[name], curve(found["curves"][kind][name])) for name, title in LINES.items()],
            x_label="pixels",
            shares=(True, True),
        )
        for kind, good in (("deletion", "lower"), ("insertion", "higher"))
    ]
    words = paragraph(
        "Pixels are deleted, or inserted into the blurred face, in the map's order (RISE, Petsiuk et al. 2018); the "
        "table has the area under the curve of the label's probability, per cent. A map that is worth something beats "
        "the random ones: a smooth map the blots, a fine one the pixels."
    )
    header = ("method", "deletion, lower is better", "insertion, higher is better")
    keys = html.legend({CSS[name]: title for name, title in LINES.items()})
    return Markup().join([words, html.table(header, rows), keys, html.cards(charts)])


def curve(values: list[float]) -> list[tuple[float, float]]:
    return [(step / (len(values) - 1), value) for step, value in enumerate(values)]


def interval(found: Mapping[str, float]) -> str:
    return f"{100 * found['mean']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"
