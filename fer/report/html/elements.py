"""Elements of the report. What text comes from data goes through Markup.format, which escapes it."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from fer.report.html import svg


def picture(pixels: NDArray[np.uint8], words: str) -> Markup:
    """Return an image element that holds its PNG; grey (H, W) or RGB (H, W, 3)."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    text = base64.b64encode(content.getvalue()).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}" loading="lazy">').format(text, words)


def paragraph(text: str, *values: object) -> Markup:
    return Markup("<p>") + Markup(text).format(*values) + Markup("</p>")


def bullets(lines: Sequence[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(svg.join([Markup("<li>{}</li>").format(line) for line in lines]))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """Return a table in a box that scrolls; the first column names the row."""
    head = svg.join([Markup('<th scope="col">{}</th>').format(name) for name in header])
    body = svg.join(
        [
            Markup('<tr><th scope="row">{}</th>{}</tr>').format(
                row[0], svg.join([Markup("<td>{}</td>").format(cell) for cell in row[1:]])
            )
            for row in rows
        ]
    )
    return Markup(
        '<div class="scroll" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


def cards(parts: Sequence[Markup]) -> Markup:
    return Markup('<div class="cards">{}</div>').format(svg.join(parts))
