"""Tables for people, in Markdown and in the terminal: all from the summary that docs/results.json keeps.

A table is its columns, each with what it says, and a row of cells for each system.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fer.constants import EMOTION_NAMES, Split
from fer.errors import UserError
from fer.evaluation.metrics import HUMAN_CLASS_ACCURACY, HUMAN_FER2013_ACCURACY, TEST_SETS
from fer.report.systems import ENSEMBLE
from fer.report.text import per_cent

RESULT_COLUMNS = {
    "system": "its block in params.yaml; `ensemble` is the mean of networks that are chosen on PublicTest",
    "printed": "what the report gives, and on which split; report 001 names none and is taken to mean PublicTest",
    "PublicTest": "accuracy; it selects the epoch and the settings, so it flatters",
    "PrivateTest": "accuracy; read at the end, it chooses nothing",
    "leak-free": "PrivateTest without the faces whose pixels also stand in Training",
    "no near-duplicates": "and without those of which nearly the same picture stands there",
    "seeds": "trainings, each from its own seed",
    "verdict": "whether the mean over seeds is at least the printed number, on the same split",
    "report": "which of the five reports describes it",
    "starts from": "random weights, or the pictures that its pretrained weights were trained on",
    "parameters": "numbers that are trained or kept; of the ensemble, its members' together",
    "MFLOP": "a million operations for one face, forward",
}
SOURCE = Path("data/source")  # of the pipeline in the current folder
OF_REPORTS = ("report", "printed", "verdict")  # columns that mean nothing beside other data than the reports'
BEYOND_COLUMNS = {  # after the system
    "balanced": "the mean of the seven emotions' accuracies",
    "macro-F1": "the mean of the seven emotions' F1",
    "top-2": "accuracy when the second answer counts too",
    "anger = disgust": "accuracy when the two count as one, as report 002 proposes",
    "log loss": "mean negative log probability of the label, in nats",
    "ECE": "expected calibration error: how far confidence is from accuracy, over 15 bins (Guo et al. 2017)",
    "ECE scaled": "the same after the logits are divided by a temperature that is fitted on PublicTest",
    "exact duplicates": "accuracy on the faces whose pixels also stand in Training",
    "FER+ majority": "accuracy by the answer that most of FER+'s ten annotators gave, where it is an emotion",
}
TERMINAL = ("system", "printed", "PublicTest", "PrivateTest", "leak-free")  # what 80 columns have room for
NOT_MEASURED = "–"
POSED = "people, posed photographs"
SHORT = {"PublicTest": "public", "PrivateTest": "private"}


def measured(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of the systems that were run."""
    return {name: entry for name, entry in summary["systems"].items() if entry["seeds"]}


def has_reports(summary: Mapping[str, Any]) -> bool:
    """Return whether the reports' numbers may stand here: they are FER2013's."""
    return any(entry["reported"] for entry in summary["systems"].values())


def result_columns(summary: Mapping[str, Any]) -> list[str]:
    """Return RESULT_COLUMNS, without OF_REPORTS where they mean nothing."""
    return [name for name in RESULT_COLUMNS if has_reports(summary) or name not in OF_REPORTS]


def result_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each measured system, `result_columns`; accuracies in per cent."""
    columns = result_columns(summary)
    cells = [result_cells(name, entry) for name, entry in measured(summary).items()]
    return [{column: of[column] for column in columns} for of in cells]


def result_cells(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    cells = (
        name,
        printed(entry["reported"]),
        *(mean_and_std(entry[test_set], "accuracy") for test_set in TEST_SETS),
        str(entry["seeds"]),
        entry["verdict"],
        report_of(entry),
        entry["starts_from"],
        f"{entry['parameters']:,}",
        f"{entry['flops'] / 1e6:,.0f}",
    )
    return dict(zip(RESULT_COLUMNS, cells, strict=True))


def not_run_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each system that is not run, without OF_REPORTS where they mean nothing."""
    of_reports = has_reports(summary)
    return [
        {"system": name}
        | ({"report": report_of(entry), "printed": printed(entry["reported"])} if of_reports else {})
        | {"why not": entry["not_run"]}
        for name, entry in summary["systems"].items()
        if not entry["seeds"]
    ]


def beyond_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each measured system and BEYOND_COLUMNS on PrivateTest; in per cent but for the log loss."""
    return [beyond_row(name, entry) for name, entry in measured(summary).items()]


def beyond_row(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    private, calibration = entry[Split.private_test], entry["calibration"]
    metrics = ("balanced_accuracy", "macro_f1", "top2_accuracy", "merged_accuracy")
    cells = (
        *(mean_and_std(private, metric) for metric in metrics),
        f"{private['log_loss']:.3f}",
        mean_and_std(calibration["before"], "ece"),
        mean_and_std(calibration["after"], "ece"),
        mean_and_std(entry["leaks"]["exact_copies"], "accuracy"),
        mean_and_std(entry["agreement"], "accuracy_majority"),
    )
    return {"system": name} | dict(zip(BEYOND_COLUMNS, cells, strict=True))


def report_of(entry: Mapping[str, Any]) -> str:
    return entry["reported"]["report"] if entry["reported"] else NOT_MEASURED


def mean_and_std(scores: Mapping[str, Any] | None, metric: str) -> str:
    """Return `61.2 ± 0.4` over several seeds, `61.2` for one, in per cent."""
    if scores is None or scores[metric] is None:
        return NOT_MEASURED
    std = scores[f"{metric}_std"]
    return per_cent(scores[metric]) + (f" ± {per_cent(std)}" if std is not None else "")


def printed(reported: Mapping[str, Any] | None) -> str:
    if not reported or reported["accuracy"] is None:
        return NOT_MEASURED
    return f"{round(100 * reported['accuracy'], 2):g} ({SHORT[reported['split']]})"  # the report's own digits


def class_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return two rows for people where the data are FER2013, then one for each measured system: per cent."""
    people = [class_row(POSED, HUMAN_CLASS_ACCURACY, None), class_row("people, FER2013", {}, HUMAN_FER2013_ACCURACY)]
    private = {name: entry[Split.private_test] for name, entry in measured(summary).items()}
    rows = [class_row(name, run["class_accuracy"], run["accuracy"]) for name, run in private.items()]
    return [*people, *rows] if has_reports(summary) else rows


def class_row(name: str, by_emotion: Mapping[str, float], overall: float | None) -> dict[str, str]:
    shares = {emotion: by_emotion.get(emotion) for emotion in EMOTION_NAMES} | {"all faces": overall}
    cells = {column: NOT_MEASURED if share is None else per_cent(share) for column, share in shares.items()}
    return {"system": name} | cells


def printed_class_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each system whose report printed figures per class: `printed / ours` on the report's split.

    The printed ones have the report's digits. Where it printed precision, recall and F1, the recall is shown: it is
    the class's accuracy.
    """
    rows = []
    for name, entry in summary["systems"].items():
        if theirs := printed_by_emotion(entry["reported"]):
            split = entry["reported"]["split"]
            ours = entry[split]["class_accuracy"] if entry["seeds"] else {}
            shown = {emotion: per_cent(ours[emotion]) if ours else NOT_MEASURED for emotion in EMOTION_NAMES}
            cells = {emotion: f"{per_cent(theirs[emotion], 'g')} / {share}" for emotion, share in shown.items()}
            rows.append({"system": name, "split": SHORT[split]} | cells)
    return rows


def printed_by_emotion(reported: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the printed share of each emotion's faces that were named right; nothing if the report has none."""
    if reported and reported["class_scores"]:
        return {emotion: scores["recall"] for emotion, scores in reported["class_scores"].items()}
    return dict(reported["class_accuracy"] or {}) if reported else {}


def table(rows: Sequence[Mapping[str, str]], *, words: bool = False) -> str:
    """Return `markdown` of rows that have the same columns."""
    return markdown([*rows[0]], [[*row.values()] for row in rows], words=words)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    """Return a table: the first column to the left, the others to the right unless they are words."""
    ruler = ["---", *(("---" if words else "---:",) * (len(header) - 1))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows))


def sentences_of(summary: Mapping[str, Any]) -> list[str]:
    return [sentence(pair) for pair in summary["pairs"].values()]


def sentence(pair: Mapping[str, Any]) -> str:
    """Return the comparison on PrivateTest in words, the better system first.

    *Shown* means that the interval leaves out zero.
    """
    better, worse = pair["first"], pair["second"]
    if pair["seeds"] == 0:
        return f"{better} and {worse} have no seed in common"
    found = pair[Split.private_test]
    difference, low, high = (found[key] for key in ("difference", "difference_low", "difference_high"))
    seeds = f"{pair['seeds']} seed{'s' if pair['seeds'] > 1 else ''}"
    if difference == 0:
        return f"{better} and {worse} are equally good on {Split.private_test} ({seeds})"
    if difference < 0:
        better, worse, difference, low, high = worse, better, -difference, -high, -low
    tests = found["mcnemar"].values()
    p_values = ", ".join(f"{test['p']:.2g}" if test["p"] >= 1e-6 else "< 1e-6" for test in tests)
    return (
        f"{better} is {100 * difference:.1f} points above {worse} on {Split.private_test}, "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f}: {'shown' if low > 0 else 'not shown'} "
        f"({seeds}, McNemar p: {p_values})"
    )


def print_results(path: Path, systems: Sequence[str], console: Console | None = None) -> None:
    """Print the small table of docs/results.json, `systems` first and in their order, and where to look next.

    Raise UserError where the file is missing.
    """
    if not path.exists():
        raise UserError(f"{path}: not there; `dvc repro` writes it")
    summary = json.loads(path.read_text(encoding="utf-8"))
    found = summary["systems"]
    summary["systems"] = {name: found[name] for name in systems if name in found} | found
    console = console or Console()
    rows = result_rows(summary)
    columns = [name for name in TERMINAL if name in rows[0]]
    grid = Table(
        caption="accuracy in per cent, mean ± standard deviation over seeds",
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    for name in columns:
        grid.add_column(name, justify="left" if name == "system" else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*(row[column] for column in columns))
    console.print(grid)
    example = next((name for name in measured(summary) if name != ENSEMBLE), "SYSTEM")
    demo = "" if SOURCE.exists() else "cd demo && "  # nothing can be trained here
    console.print(
        f"\nNext: {path.with_suffix('.md')} (every table), {path.with_name('report.html')} (one page), plots/, or\n"
        f"  {demo}dvc exp run -S systems.{example}.lr=0.001 && dvc metrics diff",
        soft_wrap=True,
        highlight=False,
    )
