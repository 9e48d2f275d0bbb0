"""A part of the page."""

from typing import NamedTuple

from markupsafe import Markup


class Section(NamedTuple):
    """A part of the page: `name` is its anchor."""

    name: str
    title: str
    body: Markup
