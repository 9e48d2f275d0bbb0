"""Everything that the stage `report` writes, from predictions and metrics alone: no faces, no weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.files import write_json, write_text
from fer.report.figures import draw_accuracy, draw_leaks, write_leaks
from fer.report.html.page import page
from fer.report.material import Material, read_folder, read_json
from fer.report.model_card import model_card
from fer.report.printed import is_fer2013
from fer.report.results import results
from fer.report.summary import summarise
from fer.report.systems import read_systems


@dataclass(frozen=True)
class Sources:
    """Folders: a system's predictions each, the ensemble's, and what the other stages measured."""

    predictions: Path
    ensemble: Path
    metrics: Path


@dataclass(frozen=True)
class Places:
    """Folders for the documents and for the pictures and tables of all systems."""

    docs: Path
    plots: Path


def write_documents(
    sources: Sources,
    places: Places,
    *,
    systems: Sequence[str],
    variants: Sequence[str],
    not_run: Mapping[str, str],
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    bootstrap_seed: int,
) -> None:
    """Write results.json, results.md, model_card.md, report.html and the summary's pictures.

    Args:
        systems: those that run; `not_run` names the others, and why.
        variants: those of the ablation that run.
        pairs: systems tested against each other; those with one that is not run are left out.
        resamples, bootstrap_seed: of the 95 % intervals over faces.

    Raises:
        PredictionsError: one of `systems` has no predictions.
    """
    read = read_systems(sources.predictions, sources.ensemble, systems)
    audit = read_json(sources.metrics / "data.json")
    summary = summarise(
        read,
        not_run=not_run,
        printed=is_fer2013(audit),
        agreement=read_json(sources.metrics / "agreement.json"),
        pairs=pairs,
        resamples=resamples,
        bootstrap_seed=bootstrap_seed,
    )
    write_json(places.docs / "results.json", summary)
    material = Material(
        systems=read,
        summary=in_order_of(summary, read_json(places.docs / "results.json")),
        audit=audit,
        ensemble=read_json(sources.metrics / "ensemble" / "0.json"),
        ablation={name: of for name, of in read_folder(sources.metrics / "ablation").items() if name in variants},
        explained={name: of for name, of in read_folder(sources.metrics / "explain").items() if name in read},
    )
    write(material, places)


def in_order_of(summary: Mapping[str, Any], read_back: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was read back with systems and pairs as params.yaml has them: the file's keys are sorted."""
    ordered = {part: {name: read_back[part][name] for name in summary[part]} for part in ("systems", "pairs")}
    return {**read_back, **ordered}


def write(material: Material, places: Places) -> None:
    """Write what is made of the material alone."""
    write_text(places.docs / "results.md", results(material))
    write_text(places.docs / "model_card.md", model_card(material))
    write_text(places.docs / "report.html", page(material))
    draw_accuracy(material.summary, places.plots / "accuracy.png")
    draw_leaks(material.summary, places.plots / "leaks.png")
    write_leaks(material.summary, places.plots / "leaks.csv")
