"""All systems of a dataset beside each other: summary.json, README's tables, MODEL_CARD.md, pictures of the whole."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.data.near_duplicates import read_near_duplicates
from fer.data.store import open_store, read_split
from fer.data.votes import read_votes
from fer.emotions import Split
from fer.evaluation import figures, plots_data
from fer.evaluation.model_card import model_card
from fer.evaluation.predictions import read_predictions
from fer.evaluation.summary import Seeds, describe, summarise
from fer.evaluation.tables import replace_between_marks, results_block
from fer.files import write_json, write_text
from fer.not_run import is_noted
from fer.reports import REPORTED, REPORTED_ON


@dataclass(frozen=True)
class Sources:
    """What the comparison reads: every system's predictions, and what is known of the faces."""

    predictions: Path
    store: Path
    near_duplicates: Path
    votes: Path
    audit: Path


@dataclass(frozen=True)
class Places:
    """Where the comparison goes; `figures` shows faces and stays out of git."""

    metrics: Path
    plots: Path
    figures: Path
    readme: Path
    model_card: Path


def compare_systems(
    dataset: str,
    sources: Sources,
    places: Places,
    *,
    waiting: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    bootstrap_seed: int,
) -> None:
    """Writes everything that needs more than one system, or none.

    Every folder of `sources.predictions` is a system; one that the dataset does not run is left out. The systems of
    `waiting` stand beside the printed numbers as not yet run.
    """
    systems = {path.name for path in sources.predictions.iterdir() if path.is_dir() and not is_noted(path)}
    shown = sorted(systems | set(waiting if dataset == REPORTED_ON else ()))
    read = {system: read_seeds(sources.predictions / system) for system in shown}
    summary = summarise(
        {system: seeds for system, (seeds, _) in read.items() if seeds},
        reported={system: REPORTED.get(system) if dataset == REPORTED_ON else None for system in shown},
        described={system: describe(list(runs.values())) for system, (_, runs) in read.items() if runs},
        votes=read_votes(sources.votes),
        provenances={system: next(iter(runs.values())) for system, (_, runs) in read.items() if runs},
        pairs=pairs,
        resamples=resamples,
        bootstrap_seed=bootstrap_seed,
    )
    write_json(places.metrics, summary)
    draw(summary, sources.store, places)
    draw_near_duplicates(sources, places.figures / "near_duplicates.png")
    # Read back: the tables show the rounded numbers that git keeps.
    kept = json.loads(places.metrics.read_text(encoding="utf-8"))
    block = results_block(kept)
    if dataset == REPORTED_ON:
        write_text(places.model_card, model_card(kept, json.loads(sources.audit.read_text(encoding="utf-8"))))
    readme = places.readme.read_text(encoding="utf-8")
    if f"results:{dataset}:begin" in readme:  # not every dataset's numbers belong there
        write_text(places.readme, replace_between_marks(readme, f"results:{dataset}", block))


def read_seeds(folder: Path) -> tuple[Seeds, dict[int, dict[str, Any]]]:
    """Every seed's predictions and every seed's provenance; both empty for a system that was not run."""
    seeds: dict[int, Any] = {}
    provenances: dict[int, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem)):
        seeds[int(path.stem)], provenances[int(path.stem)] = read_predictions(path)
    return seeds, provenances


def draw(summary: dict[str, Any], store: Path, places: Places) -> None:
    with open_store(store) as file:
        labels = {split: file[split]["labels"][:] for split in Split}
        training = read_split(file, Split.training)
    plots_data.write_class_counts(places.plots / "classes.csv", labels)
    plots_data.write_leaks(places.plots / "leaks.csv", summary)
    plots_data.write_agreement(places.plots / "agreement.csv", summary)
    figures.leaks(summary, places.plots / "pictures" / "leaks.png")
    if summary["label_noise"]:
        figures.agreement(summary, places.plots / "pictures" / "agreement.png")
    figures.class_distribution(labels, places.plots / "pictures" / "classes.png")
    figures.system_accuracy(summary, places.plots / "pictures" / "accuracy.png")
    figures.sample_faces(training.images, training.labels, places.figures / "samples.png")


def draw_near_duplicates(sources: Sources, path: Path) -> None:
    """The least similar pairs beside each other, for a person to judge; nothing where all are exact copies."""
    pairs = [pair for pair in read_near_duplicates(sources.near_duplicates) if pair.mirrored or pair.correlation < 1]
    pairs = sorted(pairs, key=lambda pair: pair.correlation)[: figures.PAIRS]
    if not pairs:
        return
    with open_store(sources.store) as file:
        faces = {split: read_split(file, split) for split in Split}
    place = {split: {int(row): index for index, row in enumerate(of.rows)} for split, of in faces.items()}
    kept = [pair for pair in pairs if pair.training_row in place[Split.training]]  # clean.drop_leaked leaves some out
    test = [faces[Split(pair.split)].images[place[Split(pair.split)][pair.row]] for pair in kept]
    training = [faces[Split.training].images[place[Split.training][pair.training_row]] for pair in kept]
    figures.near_duplicates(test, training, [pair.correlation for pair in kept], path)
