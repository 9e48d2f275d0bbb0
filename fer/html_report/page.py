"""report.html: one page that stands alone, from what the other stages wrote.

The page is SECTIONS in order, each a function of the material that gives a section or None. Adding a figure means
adding one function and its name to SECTIONS. The page's frame and its styles stand in page.html.j2.
"""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fer.files import write_text
from fer.html_report.looks import explanations, faces_beside_maps, galleries
from fer.html_report.material import Material, Section
from fer.html_report.numbers import (
    ablation,
    audit,
    calibration,
    confusions,
    copies,
    curves,
    label_noise,
    origin,
    results,
)
from fer.reports import REPORTED_ON

PUBLIC_FACES = "synthetic"  # the drawn faces of the page that stands in git, beside REPORTED_ON's numbers
TEMPLATE = Path(__file__).with_name("page.html.j2")

SECTIONS: list[Callable[[Material], Section | None]] = [
    results,
    explanations,
    faces_beside_maps,
    galleries,
    confusions,
    curves,
    calibration,
    copies,
    label_noise,
    ablation,
    audit,
    origin,
]


def write_report(material: Material, path: Path) -> None:
    """The whole page; needs no other file, no network and no script."""
    sections = [section for section in (make(material) for make in SECTIONS) if section]
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template(TEMPLATE.name).render(
        sections=sections,
        numbers=material.numbers,
        faces=material.faces,
        systems=len(material.measured),
        seeds=sum(entry["seeds"] for entry in material.measured.values()),
    )
    write_text(path, page + "\n")


def write_public_report(path: Path, root: Path = Path()) -> None:
    """The page that stands in git: FER2013's numbers, curves and mean maps, and drawn faces only."""
    write_report(Material.of(REPORTED_ON, PUBLIC_FACES, root), path)
