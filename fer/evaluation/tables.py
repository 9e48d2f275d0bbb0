"""Tables for people: the README's in Markdown and the terminal's, both from metrics/{dataset}/summary.json."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation import class_weights
from fer.evaluation.metrics import HUMAN_CLASS_ACCURACY, HUMAN_FER2013_ACCURACY, TEST_SETS

HEADER = (
    "system", "report", "starts from", "printed", "PublicTest", "PrivateTest", "leak-free", "no near-copies",
    "parameters", "MFLOP", "seeds", "verdict",
)  # fmt: skip
TERMINAL = ("system", "printed", "PublicTest", "PrivateTest", "leak-free")  # what 80 columns have room for
BEYOND_HEADER = (
    "system", "balanced", "macro-F1", "top-2", "anger = disgust", "log loss", "ECE", "ECE scaled", "exact copies",
    "crowd's choice",
)  # fmt: skip
CLASS_HEADER = ("system", *EMOTION_NAMES, "all faces")
PRINTED_CLASS_HEADER = ("system", "split", *EMOTION_NAMES)
NOT_MEASURED = "–"
SHORT = {"PublicTest": "public", "PrivateTest": "private"}


def result_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a system in the order of the summary, HEADER's columns; accuracies in per cent."""
    return [result_row(name, entry) for name, entry in summary["systems"].items()]


def result_row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    reported = entry["reported"]
    return (
        name,
        reported["report"] if reported else NOT_MEASURED,
        entry["starts_from"] or NOT_MEASURED,
        printed(reported),
        *(mean_and_std(entry.get(test_set), "accuracy") for test_set in TEST_SETS),
        f"{entry['parameters']:,}" if entry["parameters"] else NOT_MEASURED,
        f"{entry['flops'] / 1e6:,.0f}" if entry["flops"] else NOT_MEASURED,
        str(entry["seeds"]),
        entry["verdict"],
    )


def beyond_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a measured system, BEYOND_HEADER's columns, all on PrivateTest; in per cent but for the log loss."""
    return [beyond_row(name, entry) for name, entry in summary["systems"].items() if entry["seeds"]]


def beyond_row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    private, calibration = entry[Split.private_test], entry["calibration"]
    metrics = ("balanced_accuracy", "macro_f1", "top2_accuracy", "merged_accuracy")
    return (
        name,
        *(mean_and_std(private, metric) for metric in metrics),
        f"{private['log_loss']:.3f}",
        mean_and_std(calibration["before"], "ece"),
        mean_and_std(calibration["after"], "ece"),
        mean_and_std(entry["leaks"]["exact_copies"], "accuracy"),
        mean_and_std(entry["crowd"], "accuracy_crowd"),
    )


def mean_and_std(scores: Mapping[str, Any] | None, metric: str) -> str:
    """`61.2 ± 0.4` over several seeds, `61.2` for one."""
    if scores is None or scores[metric] is None:
        return NOT_MEASURED
    std = scores[f"{metric}_std"]
    return f"{100 * scores[metric]:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def printed(reported: Mapping[str, Any] | None) -> str:
    if not reported or reported["accuracy"] is None:
        return NOT_MEASURED
    return f"{round(100 * reported['accuracy'], 2):g} ({SHORT[reported['split']]})"  # the report's own digits


def class_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """People in the study, then a row a measured system: CLASS_HEADER's columns, per cent of PrivateTest's faces."""
    people = class_row("people", HUMAN_CLASS_ACCURACY, HUMAN_FER2013_ACCURACY)
    measured = {name: entry[Split.private_test] for name, entry in summary["systems"].items() if entry["seeds"]}
    return [people, *(class_row(name, run["class_accuracy"], run["accuracy"]) for name, run in measured.items())]


def class_row(name: str, by_emotion: Mapping[str, float], overall: float) -> tuple[str, ...]:
    return (name, *(f"{100 * share:.1f}" for share in (*(by_emotion[emotion] for emotion in EMOTION_NAMES), overall)))


def printed_class_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a system whose report printed figures per class: `printed / ours` on the report's split, per cent.

    The printed ones have the report's digits. Where it printed precision, recall and F1, the recall is shown: it is
    the class's accuracy.
    """
    rows = []
    for name, entry in summary["systems"].items():
        reported = entry["reported"]
        by_emotion = printed_by_emotion(reported) if reported else None
        if by_emotion:
            ours = entry.get(reported["split"])
            cells = (
                f"{100 * by_emotion[emotion]:g} / "
                + (f"{100 * ours['class_accuracy'][emotion]:.1f}" if ours else NOT_MEASURED)
                for emotion in EMOTION_NAMES
            )
            rows.append((name, SHORT[reported["split"]], *cells))
    return rows


def printed_by_emotion(reported: Mapping[str, Any]) -> dict[str, float] | None:
    """The printed share of each emotion's faces that were named right; None if the report has none."""
    if reported["class_scores"]:
        return {emotion: scores["recall"] for emotion, scores in reported["class_scores"].items()}
    return dict(reported["class_accuracy"]) if reported["class_accuracy"] else None


def markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """First column to the left, the others to the right."""
    ruler = ("---", *("---:",) * (len(header) - 1))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows))


def results_block(summary: Mapping[str, Any]) -> str:
    """What stands between the README's marks: the results, a sentence for each pair, the tables beyond accuracy."""
    sentences = "\n".join(f"- {text}" for text in sentences_of(summary))
    parts = [
        markdown(HEADER, result_rows(summary)),
        sentences,
        "Beyond accuracy, on PrivateTest:",
        markdown(BEYOND_HEADER, beyond_rows(summary)),
        "Per class on PrivateTest, per cent:",
        markdown(CLASS_HEADER, class_rows(summary)),
    ]
    if printed_rows := printed_class_rows(summary):
        parts += [
            "Per class as the reports printed it / ours, per cent of each emotion's faces on the report's split:",
            markdown(PRINTED_CLASS_HEADER, printed_rows),
        ]
    return "\n\n".join(parts)


def sentences_of(summary: Mapping[str, Any]) -> list[str]:
    """One for each pair of systems, and one for each that differs from another in its class weights alone."""
    shown = [
        pair for pair in summary["pairs"].values() if {pair["first"], pair["second"]} <= summary["systems"].keys()
    ]  # the others are for another dataset
    weights = (class_weights.sentence(effect) for effect in summary["class_weights"].values())
    return [*map(sentence, shown), *weights]


def sentence(pair: Mapping[str, Any], test_set: str = Split.private_test) -> str:
    """The comparison in words, the better system first; shown means that the interval leaves out zero."""
    better, worse = pair["first"], pair["second"]
    if pair["seeds"] == 0:
        return f"{better} and {worse} have no seed in common yet"
    difference = pair[test_set]["difference"]
    low, high = pair[test_set]["difference_low"], pair[test_set]["difference_high"]
    seeds = f"{pair['seeds']} seed{'s' if pair['seeds'] > 1 else ''}"
    if difference == 0:
        return f"{better} and {worse} are equally good on {test_set} over {seeds}"
    if difference < 0:
        better, worse, difference, low, high = worse, better, -difference, -high, -low
    tests = pair[test_set]["mcnemar"].values()
    p_values = ", ".join(f"{test['p']:.2g}" if test["p"] >= 1e-6 else "< 1e-6" for test in tests)
    return (
        f"{better} is better than {worse} by {100 * difference:.1f} points on {test_set} over {seeds}, "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f}: {'shown' if low > 0 else 'not shown'} "
        f"(McNemar p: {p_values})"
    )


def replace_between_marks(text: str, name: str, block: str) -> str:
    """`text` with `block` between `<!-- name:begin -->` and `<!-- name:end -->`; a ValueError without the marks."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"needs one {begin} and after it one {end}")
    return text[: text.index(begin) + len(begin)] + f"\n{block}\n" + text[text.index(end) :]


def print_results(summary: Mapping[str, Any], title: str, console: Console) -> None:
    """The results table for a terminal of 80 columns, without what only the README has room for."""
    caption = "accuracy in per cent, mean ± deviation over seeds"
    table = Table(
        title=title, title_justify="left", caption=caption,
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    for name in TERMINAL:
        table.add_column(name, justify="left" if name == "system" else "right", no_wrap=True)
    for row in result_rows(summary):
        table.add_row(*(row[HEADER.index(name)] for name in TERMINAL))
    console.print(table)
    for text in sentences_of(summary):
        console.print(f"- {text}")
