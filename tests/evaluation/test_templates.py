"""The Vega-Lite templates in .dvc/plots, filled by DVC's own renderer from the tables that this project writes."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvc_render.vega import VegaRenderer  # type: ignore[import-untyped]

from fer.constants import EMOTION_NAMES, Split
from fer.data.pictures import write_class_counts
from fer.evaluation import agreement, plots_data
from fer.evaluation.calibration import reliability
from fer.evaluation.plots_data import EpochScore
from fer.explain.explain import write_faithfulness
from fer.orchestration import search_tables
from fer.report.figures import write_leaks
from tests.evaluation.test_metrics import predictions
from tests.orchestration.test_search_tables import SPACE, TRIALS

SCORES = {"faces": 8, "accuracy": 0.6, "accuracy_low": 0.55, "accuracy_high": 0.65}
SUMMARY = {
    "systems": {"net": {"seeds": 1, "leaks": dict.fromkeys(("exact_copies", "near_duplicates", "clean"), SCORES)}}
}
AGREEMENT = {
    "systems": {"net": {"by_votes": {level: {"faces": 9, "accuracy_label": 0.6} for level in agreement.LEVELS}}}
}
TEMPLATES = Path(__file__).parents[2] / ".dvc" / "plots"
AXES = {
    "curves": ("epoch", "loss"),
    "confusion_share": ("predicted", "actual"),
    "classes": ("emotion", "faces"),
    "reliability": ("confidence", "accuracy"),
    "leaks": ("accuracy", "system"),
    "agreement": ("votes", "accuracy"),
    "search": ("trial", "accuracy"),
    "parallel_coordinates": ("axis", "position"),
    "faithfulness": ("pixels", "probability"),
}


def write_table(template: str, path: Path) -> None:
    """The table that the template is for, small."""
    if template == "curves":
        scores = [EpochScore(0, epoch, split, 1.0, 0.5) for epoch in (1, 2) for split in ("train", "validation")]
        plots_data.write_curve(path, scores, "loss")
    elif template == "confusion_share":
        plots_data.write_confusion(path, np.eye(7, dtype=np.int64))
    elif template == "reliability":
        bins = reliability(predictions())
        plots_data.write_reliability(path, {"as trained": bins, "temperature scaled": bins})
    elif template == "leaks":
        write_leaks(SUMMARY, path)
    elif template == "agreement":
        agreement.write_table(path, AGREEMENT)
    elif template == "search":
        search_tables.write_table(path, search_tables.table_of(TRIALS))
    elif template == "faithfulness":
        write_faithfulness(path, {name: np.array([[1.0, 0.5, 0.0]]) for name in ("saliency", "random_pixels")})
    elif template == "parallel_coordinates":
        search_tables.write_table(path, search_tables.parallel_table(search_tables.table_of(TRIALS), SPACE))
    else:
        write_class_counts(path, {split: np.arange(7, dtype=np.uint8) for split in Split})


def filled(template: str, folder: Path) -> dict[str, Any]:
    """The specification that `dvc plots diff` would put on its page: two systems in two revisions."""
    write_table(template, folder / "table.csv")
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    points = [
        {**row, "rev": revision, "filename": f"plots/{system}/table.csv"}
        for revision in ("workspace", "HEAD")
        for system in ("cs231n", "tuwani")
        for row in rows
    ]
    x, y = AXES[template]
    renderer = VegaRenderer(points, "plot", template=template, template_dir=str(TEMPLATES), x=x, y=y)
    content: dict[str, Any] = renderer.get_filled_template()
    return content


def fields(node: Any) -> set[str]:
    """Every column that a specification names."""
    if isinstance(node, dict):
        own = {node["field"]} if isinstance(node.get("field"), str) else set()
        return own.union(*(fields(value) for value in node.values()))
    return set().union(*(fields(value) for value in node)) if isinstance(node, list) else set()


def test_every_template_has_its_table() -> None:
    assert {path.stem for path in TEMPLATES.glob("*.json")} == set(AXES)


@pytest.mark.parametrize("template", AXES)
def test_dvc_fills_every_anchor_and_the_columns_exist(template: str, tmp_path: Path) -> None:
    content = filled(template, tmp_path)
    points = content.pop("data")["values"]
    assert "DVC_METRIC" not in json.dumps(content)
    assert fields(content) <= set(points[0]) | {"source", "calibrated"}  # what the templates calculate
    assert {point["rev"] for point in points} == {"workspace", "HEAD"}


@pytest.mark.parametrize("template", AXES)
def test_a_facet_is_sorted(template: str, tmp_path: Path) -> None:
    """Vega-Lite puts the cells of an unsorted grid in the order of the data, under the wrong headers."""
    for channel in filled(template, tmp_path)["facet"].values():
        assert "sort" not in channel


@pytest.mark.parametrize("template", ["confusion_share", "classes"])
def test_emotions_stand_in_the_order_of_their_integers(template: str, tmp_path: Path) -> None:
    spec = filled(template, tmp_path)["spec"]["encoding"]
    channels = [channel for channel in spec.values() if isinstance(channel, dict)]
    axes = [channel for channel in channels if channel.get("field") in {"actual", "predicted", "emotion"}]
    assert axes
    assert all(axis["sort"] == list(EMOTION_NAMES) for axis in axes)


def test_the_splits_have_their_own_names(tmp_path: Path) -> None:
    assert filled("classes", tmp_path)["spec"]["encoding"]["color"]["scale"]["domain"] == list(Split)
    curves = filled("curves", tmp_path)
    drawn = curves["spec"]["encoding"]["color"]["scale"]["domain"]
    assert {point["split"] for point in curves["data"]["values"]} == set(drawn)
