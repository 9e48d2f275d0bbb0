"""The documents' Markdown: templates in this folder, their prose wrapped to one width, whatever the numbers in it."""

import textwrap
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

WIDTH = 120


def render(template: str, **content: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"paragraph": paragraph, "point": point, "per_cent": per_cent, "count": "{:,}".format}
    return environment.get_template(template).render(**content).strip() + "\n"


def paragraph(text: str, *, first: str = "", others: str = "") -> str:
    """Return lines of WIDTH at most; a number keeps its per cent sign."""
    kept = " ".join(text.split()).replace(" %", "\N{NO-BREAK SPACE}%")
    filled = textwrap.fill(kept, WIDTH, initial_indent=first, subsequent_indent=others)
    return filled.replace("\N{NO-BREAK SPACE}", " ") + "\n"


def point(text: str) -> str:
    """Return an item of a list."""
    return paragraph(text, first="- ", others="  ")


def per_cent(share: float, form: str = ".1f") -> str:
    return format(100 * share, form)
