"""Tables for people: the README's in Markdown and the terminal's, both from metrics/{dataset}/summary.json."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.metrics import HUMAN_CLASS_ACCURACY, HUMAN_FER2013_ACCURACY, TEST_SETS

HEADER = ("system", "printed", "PublicTest", "PrivateTest", "leak-free", "macro-F1", "parameters", "seeds", "verdict")
NOT_MEASURED = "–"
SHORT = {"PublicTest": "public", "PrivateTest": "private"}


def result_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a system in the order of the summary, HEADER's columns; accuracies in per cent."""
    return [result_row(name, entry) for name, entry in summary["systems"].items()]


def result_row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    measured = [mean_and_std(entry.get(test_set), "accuracy") for test_set in TEST_SETS]
    parameters = f"{entry['parameters']:,}" if entry["parameters"] else NOT_MEASURED
    macro_f1 = mean_and_std(entry.get(Split.private_test), "macro_f1")
    return (name, printed(entry["reported"]), *measured, macro_f1, parameters, str(entry["seeds"]), entry["verdict"])


def mean_and_std(scores: Mapping[str, Any] | None, metric: str) -> str:
    """`61.2 ± 0.4` over several seeds, `61.2` for one."""
    if scores is None:
        return NOT_MEASURED
    std = scores[f"{metric}_std"]
    return f"{100 * scores[metric]:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def printed(reported: Mapping[str, Any] | None) -> str:
    if not reported or reported["accuracy"] is None:
        return NOT_MEASURED
    return f"{100 * reported['accuracy']:.1f} ({SHORT[reported['split']]})"


def class_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row an emotion: people in the study, then each measured system, per cent of PrivateTest's faces."""
    measured = {name: entry[Split.private_test] for name, entry in summary["systems"].items() if entry["seeds"]}
    rows = [
        (
            emotion,
            f"{100 * HUMAN_CLASS_ACCURACY[emotion]:.1f}",
            *(f"{100 * scores['class_accuracy'][emotion]:.1f}" for scores in measured.values()),
        )
        for emotion in EMOTION_NAMES
    ]
    overall = [f"{100 * scores['accuracy']:.1f}" for scores in measured.values()]
    return [*rows, ("all faces", f"{100 * HUMAN_FER2013_ACCURACY:.1f}", *overall)]


def class_header(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return ("emotion", "people", *(name for name, entry in summary["systems"].items() if entry["seeds"]))


def markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """First column to the left, the others to the right."""
    ruler = ("---", *("---:",) * (len(header) - 1))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows))


def results_block(summary: Mapping[str, Any]) -> str:
    """What stands between the README's marks: both tables and a sentence for each pair."""
    sentences = "\n".join(f"- {sentence(pair)}" for pair in summary["pairs"].values())
    return (
        f"{markdown(HEADER, result_rows(summary))}\n\n{sentences}\n\n"
        f"Per class on PrivateTest, per cent:\n\n{markdown(class_header(summary), class_rows(summary))}"
    )


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
    columns = [place for place, name in enumerate(HEADER) if name not in {"parameters", "macro-F1", "verdict", "seeds"}]
    caption = "accuracy in per cent, mean ± deviation over seeds"
    table = Table(title=title, title_justify="left", caption=caption, box=SIMPLE_HEAD, pad_edge=False)
    for place in columns:
        table.add_column(HEADER[place], justify="right" if place else "left", no_wrap=True)
    for row in result_rows(summary):
        table.add_row(*(row[place] for place in columns))
    console.print(table)
    for pair in summary["pairs"].values():
        console.print(f"- {sentence(pair)}")
