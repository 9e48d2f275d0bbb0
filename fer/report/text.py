"""Prose in Markdown: lines of one width, whatever the numbers in it."""

import textwrap

WIDTH = 120


def paragraph(text: str, *, first: str = "", others: str = "") -> str:
    """Return lines of WIDTH at most; a number keeps its per cent sign."""
    kept = " ".join(text.split()).replace(" %", "\N{NO-BREAK SPACE}%")
    return textwrap.fill(kept, WIDTH, initial_indent=first, subsequent_indent=others).replace("\N{NO-BREAK SPACE}", " ")


def points(*texts: str) -> str:
    """Return a list, an item a text."""
    return "\n".join(paragraph(text, first="- ", others="  ") for text in texts)
