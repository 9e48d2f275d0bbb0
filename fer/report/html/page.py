"""report.html: one page that stands alone, from what the other stages measured.

The page is SECTIONS in order, each a function of the material that gives a section or None. Adding a figure means
adding one function and its name to SECTIONS. The page's frame and its styles stand in page.html.j2.
"""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fer.report.html.elements import Section
from fer.report.html.explanations import explanations
from fer.report.html.numbers import (
    ablation,
    audit,
    calibration,
    confusions,
    curves,
    duplicates,
    label_noise,
    origin,
    results,
)
from fer.report.material import Material
from fer.report.systems import ENSEMBLE
from fer.report.tables import measured

TEMPLATE = Path(__file__).with_name("page.html.j2")

SECTIONS: list[Callable[[Material], Section | None]] = [
    results, explanations, confusions, curves, calibration, duplicates, label_noise, ablation, audit, origin,
]  # fmt: skip


def page(material: Material) -> str:
    """Return the whole page; it needs no other file, no network and no script, and shows no face."""
    sections = [section for section in (make(material) for make in SECTIONS) if section]
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    entries = measured(material.summary)
    return (
        environment.get_template(TEMPLATE.name).render(
            sections=sections,
            dataset=material.dataset,
            systems=len(entries),
            trainings=sum(entry["seeds"] for name, entry in entries.items() if name != ENSEMBLE),
        )
        + "\n"
    )
