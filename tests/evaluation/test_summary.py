"""The summary's means, verdicts and sentences, and the tables that show them."""

import io
from typing import Any

import pytest
from rich.console import Console

from fer.emotions import Split
from fer.evaluation.summary import summarise, verdict
from fer.evaluation.tables import (
    HEADER,
    class_rows,
    markdown,
    print_results,
    replace_between_marks,
    result_rows,
    results_block,
    sentence,
)
from fer.reports import REPORTED, Reported
from tests.evaluation.test_metrics import predictions

NOTHING: Any = {"reported": {}, "parameters": {}, "resamples": 10, "bootstrap_seed": 0}


def seeds(*skills: float) -> dict[int, dict[Split, Any]]:
    """A run a skill, all on the same faces."""
    return {seed: {split: predictions(skill=skill) for split in (Split.public_test, Split.private_test)} for seed, skill in enumerate(skills)}  # fmt: skip # noqa: E501


@pytest.fixture
def summary() -> dict[str, Any]:
    return summarise(
        {"strong": seeds(3.0, 3.5), "weak": seeds(0.5)},
        reported={"strong": Reported("report 9", 0.1, "PublicTest"), "weak": None, "absent": Reported("report 9")},
        parameters={"strong": 1234567, "weak": 10},
        pairs=[("strong", "weak"), ("strong", "absent")],
        resamples=500,
        bootstrap_seed=0,
    )


def test_means_and_deviations_over_seeds(summary: dict[str, Any]) -> None:
    entry = summary["systems"]["strong"]
    accuracies = [
        float((run[Split.private_test].predicted == run[Split.private_test].labels).mean())
        for run in seeds(3.0, 3.5).values()
    ]
    assert entry["PrivateTest"]["accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert entry["PrivateTest"]["accuracy_std"] == pytest.approx(abs(accuracies[0] - accuracies[1]) / 2**0.5)
    assert summary["systems"]["weak"]["PrivateTest"]["accuracy_std"] is None


def test_verdicts(summary: dict[str, Any]) -> None:
    systems = summary["systems"]
    assert systems["strong"]["verdict"] == "reached"
    assert systems["weak"]["verdict"] == "no printed number"
    assert systems["absent"]["verdict"] == "not yet run"
    below = {"seeds": 1, "PublicTest": {"accuracy": 0.5}}
    assert verdict(below, Reported("report 9", 0.6, "PublicTest")) == "not reached"


def test_pairs_are_tested_over_shared_seeds(summary: dict[str, Any]) -> None:
    pair = summary["pairs"]["strong_vs_weak"]
    assert pair["seeds"] == 1
    assert pair["PrivateTest"]["mcnemar"]["0"]["p"] < 1e-6
    assert sentence(pair).endswith(": shown (McNemar p: < 1e-6)")
    assert "no seed in common" in sentence(summary["pairs"]["strong_vs_absent"])


def pair(difference: float, low: float, high: float, seeds: int) -> dict[str, Any]:
    tests = {str(seed): {"b": 6, "c": 1, "p": 0.125} for seed in range(seeds)}
    scores = {"difference": difference, "difference_low": low, "difference_high": high, "mcnemar": tests}
    return {"first": "teacher", "second": "student", "seeds": seeds, "PrivateTest": scores}


def test_sentences_put_the_better_one_first() -> None:
    assert sentence(pair(-0.006, -0.015, 0.003, seeds=2)) == (
        "student is better than teacher by 0.6 points on PrivateTest over 2 seeds, "
        "95 % interval -0.3 to 1.5: not shown (McNemar p: 0.12, 0.12)"
    )
    assert "teacher is better than student" in sentence(pair(0.02, 0.01, 0.03, seeds=1))
    assert "equally good" in sentence(pair(0.0, -0.1, 0.1, seeds=1))


def test_different_faces_cannot_be_paired() -> None:
    other = seeds(1.0)
    other[0][Split.private_test].rows[0] = 99
    with pytest.raises(ValueError, match="different faces of PrivateTest"):
        summarise({"a": seeds(1.0), "b": other}, pairs=[("a", "b")], **NOTHING)


def test_the_table_says_what_the_summary_holds(summary: dict[str, Any]) -> None:
    rows = {row[0]: dict(zip(HEADER, row, strict=True)) for row in result_rows(summary)}
    accuracy = summary["systems"]["strong"]["PrivateTest"]
    assert rows["strong"]["PrivateTest"] == f"{100 * accuracy['accuracy']:.1f} ± {100 * accuracy['accuracy_std']:.1f}"
    assert rows["strong"]["printed"] == "10.0 (public)"
    assert rows["strong"]["parameters"] == "1,234,567"
    assert rows["absent"]["PrivateTest"] == "–"
    assert [row[0] for row in class_rows(summary)][-1] == "all faces"
    assert {len(row) for row in class_rows(summary)} == {4}


def test_the_terminals_table_fits_80_columns(summary: dict[str, Any]) -> None:
    summary["systems"]["cs231n_baseline"] = summary["systems"].pop("strong")  # a name of usual length
    text = io.StringIO()
    print_results(summary, "results", Console(file=text, width=80))
    assert "PrivateTest" in text.getvalue()
    assert "…" not in text.getvalue()


def test_markdown() -> None:
    assert markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_replacing_between_marks(summary: dict[str, Any]) -> None:
    text = "above\n<!-- r:begin -->\nold\n<!-- r:end -->\nbelow"
    once = replace_between_marks(text, "r", results_block(summary))
    assert once.startswith("above\n<!-- r:begin -->\n| system")
    assert once.endswith("<!-- r:end -->\nbelow")
    assert "old" not in once
    assert replace_between_marks(once, "r", results_block(summary)) == once


@pytest.mark.parametrize("text", ["", "<!-- r:begin -->", "<!-- r:end --><!-- r:begin -->"])
def test_marks_that_are_not_there(text: str) -> None:
    with pytest.raises(ValueError, match=r"needs one <!-- r:begin -->"):
        replace_between_marks(text, "r", "new")


def test_a_printed_number_has_its_split() -> None:
    with pytest.raises(ValueError, match="go together"):
        Reported("report 9", accuracy=0.5)
    assert REPORTED["cs231n"].accuracy == 0.607
