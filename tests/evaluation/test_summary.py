"""The summary's means, verdicts and sentences, and the tables that show them."""

import io
from typing import Any

import pytest
from rich.console import Console

from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.summary import DESCRIBED, describe, summarise, verdict
from fer.evaluation.tables import (
    HEADER,
    class_rows,
    markdown,
    print_results,
    printed_class_rows,
    replace_between_marks,
    result_rows,
    results_block,
    sentence,
)
from fer.params import load_params
from fer.reports import REPORTED, Reported
from tests.evaluation.test_metrics import predictions

NOTHING: Any = {"reported": {}, "described": {}, "votes": None, "provenances": {}, "resamples": 10, "bootstrap_seed": 0}


PRINTED = Reported(
    "009",
    "report 9",
    0.1,
    "PublicTest",
    class_accuracy={name: 0.1 + emotion / 10 for emotion, name in enumerate(EMOTION_NAMES)},
)


def run(seed: int, pflop: float) -> dict[str, Any]:
    """A run's provenance."""
    return {
        "seed": seed, "parameters": 1234567, "starts_from": "ImageNet", "flops": 46_800_000, "train_pflop": pflop,
        "device": f"cpu {'AVX2' if seed else 'AVX512'}",
    }  # fmt: skip


def seeds(*skills: float) -> dict[int, dict[Split, Any]]:
    """A run a skill, all on the same faces."""
    return {seed: {split: predictions(skill=skill) for split in (Split.public_test, Split.private_test)} for seed, skill in enumerate(skills)}  # fmt: skip # noqa: E501


@pytest.fixture
def summary() -> dict[str, Any]:
    return summarise(
        {"strong": seeds(3.0, 3.5), "weak": seeds(0.5)},
        reported={"strong": PRINTED, "weak": None, "absent": Reported("009", "report 9")},
        described={"strong": describe([run(0, 0.5), run(1, 1.5)])},
        votes=None,
        provenances={},
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
    assert verdict(below, Reported("009", "report 9", 0.6, "PublicTest")) == "not reached"


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
    assert rows["strong"]["printed"] == "10 (public)"
    assert rows["strong"]["parameters"] == "1,234,567"
    assert rows["strong"]["starts from"] == "ImageNet"
    assert rows["strong"]["report"] == "009"
    assert rows["strong"]["MFLOP"] == "47"
    assert rows["absent"]["PrivateTest"] == rows["absent"]["starts from"] == "–"
    assert rows["absent"]["verdict"] == "not yet run"
    assert [row[0] for row in class_rows(summary)] == ["people", "strong", "weak"]
    assert {len(row) for row in class_rows(summary)} == {9}


def test_size_and_cost_come_from_the_runs() -> None:
    described = describe([run(0, 0.5), run(1, 1.5)])
    assert (described["parameters"], described["flops"], described["train_pflop"]) == (1234567, 46_800_000, 1.0)
    assert described["device"] == "cpu AVX2, cpu AVX512"


def test_runs_that_do_not_tell_their_cost() -> None:
    """As written before the cost was counted; a mean over some of the seeds would not be the system's."""
    silent = {"seed": 0, "parameters": 10, "device": "cpu AVX2"}
    described = describe([silent])
    assert (described["starts_from"], described["flops"], described["train_pflop"]) == ("random", None, None)
    assert describe([silent, run(1, 0.5)])["train_pflop"] is None


def test_a_system_that_is_not_run_is_not_described(summary: dict[str, Any]) -> None:
    assert {summary["systems"]["absent"][name] for name in DESCRIBED} == {None}


def test_printed_class_figures_stand_beside_ours(summary: dict[str, Any]) -> None:
    ours = summary["systems"]["strong"]["PublicTest"]["class_accuracy"]
    rows = printed_class_rows(summary)
    assert [row[:2] for row in rows] == [("strong", "public")]
    assert rows[0][2:] == tuple(
        f"{10 * (place + 1)} / {100 * ours[name]:.1f}" for place, name in enumerate(EMOTION_NAMES)
    )


def test_of_precision_recall_and_f1_the_recall_is_shown() -> None:
    absent = summarise({}, pairs=[], **(NOTHING | {"reported": {"tuwani_augmented": REPORTED["tuwani_augmented"]}}))
    assert printed_class_rows(absent)[0][2:5] == ("56 / –", "18 / –", "23 / –")


def test_the_terminals_table_fits_80_columns(summary: dict[str, Any]) -> None:
    systems = summary["systems"]
    systems |= dict.fromkeys(load_params().systems, systems["strong"])
    longest = max(systems, key=len)
    systems[longest] = systems["strong"] | {"reported": {"report": "009", "accuracy": 0.1, "split": "PrivateTest"}}
    text = io.StringIO()
    print_results(summary, "results", Console(file=text, width=80))
    row = next(line for line in text.getvalue().splitlines() if line.startswith(longest))
    assert "10 (private)" in row
    assert "leak-free" in text.getvalue()
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
        Reported("009", "report 9", accuracy=0.5)
    assert REPORTED["cs231n"].accuracy == 0.607
