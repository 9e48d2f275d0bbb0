"""Rows and sentences say what the summary holds."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fer.config.params import load_params
from fer.constants import EMOTION_NAMES
from fer.errors import UserError
from fer.files import write_json
from fer.report.tables import (
    class_rows,
    markdown,
    not_run_rows,
    print_results,
    printed_class_rows,
    result_rows,
    sentence,
    table,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def summary(docs: Path) -> Any:
    return json.loads((docs / "results.json").read_text())


def pair(difference: float, low: float, high: float, seeds: int) -> dict[str, Any]:
    tests = {str(seed): {"b": 6, "c": 1, "p": 0.125} for seed in range(seeds)}
    scores = {"difference": difference, "difference_low": low, "difference_high": high, "mcnemar": tests}
    return {"first": "teacher", "second": "student", "seeds": seeds, "PrivateTest": scores}


def test_sentences_put_the_better_one_first() -> None:
    assert sentence(pair(-0.006, -0.015, 0.003, seeds=2)) == (
        "student is 0.6 points above teacher on PrivateTest, "
        "95 % interval -0.3 to 1.5: not shown (2 seeds, McNemar p: 0.12, 0.12)"
    )
    assert "teacher is 2.0 points above student" in sentence(pair(0.02, 0.01, 0.03, seeds=1))
    assert "equally good" in sentence(pair(0.0, -0.1, 0.1, seeds=1))
    assert "no seed in common" in sentence({"first": "a", "second": "b", "seeds": 0})


def test_the_table_says_what_the_summary_holds(summary: Any) -> None:
    rows = {row["system"]: row for row in result_rows(summary)}
    accuracy = summary["systems"]["cs231n"]["PrivateTest"]
    row = rows["cs231n"]
    assert row["PrivateTest"] == f"{100 * accuracy['accuracy']:.1f} ± {100 * accuracy['accuracy_std']:.1f}"
    assert (row["printed"], row["report"], row["starts from"]) == ("60.7 (public)", "000", "random")
    assert (row["parameters"], row["MFLOP"], row["seeds"], row["verdict"]) == ("1,234,567", "47", "2", "reached")
    assert rows["ensemble"]["seeds"] == "1"
    assert "le_deep" not in rows
    assert ["le_deep", "001", "65.55 (public)", "needs a GPU"] in [[*row.values()] for row in not_run_rows(summary)]


def test_people_and_reports_stand_beside_fer2013_alone(summary: Any) -> None:
    assert [row["system"] for row in class_rows(summary)][:3] == [
        "people, posed photographs", "people, FER2013", "a<script>alert(1)<",
    ]  # fmt: skip
    assert {len(row) for row in class_rows(summary)} == {9}
    for entry in summary["systems"].values():
        entry["reported"] = None
    assert not any("people" in row["system"] for row in class_rows(summary))
    assert not {"report", "printed", "verdict"} & set(result_rows(summary)[0])


def test_printed_class_figures_stand_beside_ours(summary: Any) -> None:
    """Of precision, recall and F1 the recall is shown; a system that is not run has no figure of its own."""
    rows = {row["system"]: row for row in printed_class_rows(summary)}
    assert (rows["le_deep"]["split"], rows["le_deep"]["anger"]) == ("public", "51.24 / –")
    systems = summary["systems"]
    systems["cs231n"]["reported"] |= {"class_scores": {name: {"recall": 0.5} for name in EMOTION_NAMES}}
    ours = systems["cs231n"]["PublicTest"]["class_accuracy"]
    shown = {row["system"]: row for row in printed_class_rows(summary)}["cs231n"]
    assert [*shown.values()][2:] == [f"50 / {100 * ours[name]:.1f}" for name in EMOTION_NAMES]


def test_the_terminals_table_fits_80_columns(summary: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    systems = summary["systems"]
    systems |= dict.fromkeys(load_params(ROOT / "params.yaml").systems, systems["cs231n"])
    longest = max(systems, key=len)
    write_json(tmp_path / "results.json", summary)
    text = io.StringIO()
    print_results(tmp_path / "results.json", ("tuwani", "cs231n"), Console(file=text, width=80))
    assert re.findall(r"^(tuwani|cs231n|ensemble) ", text.getvalue(), re.MULTILINE) == ["tuwani", "cs231n", "ensemble"]
    assert "\n  cd demo && dvc exp run" in text.getvalue()  # nothing can be trained without data
    Path("data/source").mkdir(parents=True)
    with_data = io.StringIO()
    print_results(tmp_path / "results.json", (), Console(file=with_data, width=80))
    assert "\n  dvc exp run" in with_data.getvalue()
    row = next(line for line in text.getvalue().splitlines() if line.startswith(longest))
    assert "60.7 (public)" in row
    assert "leak-free" in text.getvalue()
    assert "…" not in text.getvalue()
    assert "results.md" in text.getvalue()


def test_without_results_it_says_what_writes_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro"):
        print_results(tmp_path / "results.json", ())


def test_markdown() -> None:
    assert markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
    assert table([{"a": "1", "b": "2"}]) == markdown(("a", "b"), [("1", "2")])
    assert table([{"a": "1", "b": "2"}], words=True) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
