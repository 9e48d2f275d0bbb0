"""Sections of the report: results, duplicates, confusions, curves, calibration, label noise, the data, origins."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from fer.constants import EMOTION_NAMES, Split
from fer.evaluation.agreement import LEVELS
from fer.evaluation.calibration import Reliability, pooled_reliability
from fer.evaluation.metrics import TEST_SETS, confusion
from fer.evaluation.plots_data import EpochScore, mean_curve
from fer.report.figures import LEAK_NAMES, SET_NAMES
from fer.report.html.elements import QUARTERS, Line, Section, chart, html, paragraph
from fer.report.material import Material
from fer.report.results import ablation_base, ablation_row, by_worth, change
from fer.report.systems import ENSEMBLE
from fer.report.tables import measured, not_run_rows, result_rows, sentences_of

SET_CLASSES = dict(zip(TEST_SETS, "eabc", strict=True))  # the colours of accuracy.png
ACCURACY = ("accuracy", "accuracy_low", "accuracy_high")


def results(material: Material) -> Section:
    """Return what was printed and ours on every test set, with the intervals as small bars."""
    entries = measured(material.summary)
    low, high = span(entries.values())
    strips = [html.dots(dots_of(entry), low, high, printed_of(entry)) for entry in entries.values()]
    found = result_rows(material.summary)
    columns = [*found[0]]
    rows = [(name, strip, *cells) for (name, *cells), strip in zip(map(dict.values, found), strips, strict=True)]
    marks = {SET_CLASSES[test_set]: title for test_set, title in SET_NAMES.items()}
    body = html.legend(marks | ({"stroke": "printed"} if "printed" in columns else {}))
    body += html.table((columns[0], f"{100 * low:.0f} to {100 * high:.0f} %, 95 % intervals", *columns[1:]), rows)
    body += paragraph(
        "Accuracy in per cent, mean ± standard deviation over seeds. <em>Leak-free</em> leaves out the PrivateTest "
        "faces whose pixels also stand in Training. Intervals are bootstrap intervals over faces."
    )
    if sentences := sentences_of(material.summary):
        body += Markup("<h3>One against another</h3>") + html.bullets(sentences)
    if not_run := [f"{row['system']}: {row['why not']}" for row in not_run_rows(material.summary)]:
        body += Markup("<details><summary>Not run: {} systems</summary>{}</details>").format(
            len(not_run), html.bullets(not_run)
        )
    return Section("results", "Results", body)


def dots_of(entry: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [(title, SET_CLASSES[name], *(entry[name][key] for key in ACCURACY)) for name, title in SET_NAMES.items()]


def printed_of(entry: Mapping[str, Any]) -> float | None:
    return entry["reported"]["accuracy"] if entry["reported"] else None


def span(entries: Collection[Mapping[str, Any]]) -> tuple[float, float]:
    """Return full tenths below and above every interval and printed number."""
    edges = [entry[name][key] for entry in entries for name in TEST_SETS for key in ACCURACY]
    edges += [share for share in map(printed_of, entries) if share]
    return math.floor(10 * min(edges)) / 10, math.ceil(10 * max(edges)) / 10


def audit(material: Material) -> Section:
    """Return what ingest found in the file, and the emotions of each split."""
    data = material.audit
    kept, found = data["kept"], data["audit"]
    rejected = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in data["rejected"].items() if count]
    lines = [
        f"{data['rows']:,} rows; kept: " + ", ".join(f"{split} {kept[split]:,}" for split in Split),
        f"rejected: {', '.join(rejected) or 'none'}",
        f"{found['duplicate_groups']:,} groups of identical images, {found['conflicting_groups']:,} with labels that "
        "conflict",
        f"also in Training, byte for byte: {found['in_training']['PrivateTest']:,} faces of PrivateTest and "
        f"{found['in_training']['PublicTest']:,} of PublicTest",
    ]
    counts = {split: [data["class_counts"][split][name] for name in EMOTION_NAMES] for split in Split}
    shares = {split.value: [count / max(sum(of_split), 1) for count in of_split] for split, of_split in counts.items()}
    notes = {
        split.value: [
            f"{split}, {name}: {count:,} faces, {100 * share:.1f} %"
            for name, count, share in zip(EMOTION_NAMES, of_split, shares[split.value], strict=True)
        ]
        for split, of_split in counts.items()
    }
    body = html.bullets(lines) + Markup("<h3>Emotions in each split, share of its faces</h3>")
    body += html.legend(dict(zip("abc", shares, strict=True)))
    body += Markup('<div class="scroll" tabindex="0">{}</div>').format(html.groups(shares, notes))
    return Section("data", "The data and its audit", body)


def curves(material: Material) -> Section | None:
    """Return accuracy and loss after each epoch, the mean over seeds."""
    charts = [
        learning_curve(name, system.history, metric)
        for name, system in material.systems.items()
        for metric in ("accuracy", "loss")
        if system.history
    ]
    if not charts:
        return None
    return Section("curves", "Learning curves", html.legend({"a": "Training", "b": "PublicTest"}) + html.cards(charts))


def learning_curve(name: str, history: Sequence[EpochScore], metric: str) -> Markup:
    lines = [
        Line(split, css, mean_curve(history, split, metric)) for split, css in (("train", "a"), ("validation", "b"))
    ]
    last = max(of.epoch for of in history)
    highest = 1.0 if metric == "accuracy" else 0.4 * math.ceil(max(y for line in lines for _, y in line.points) / 0.4)
    return chart(
        f"{name}, {metric}",
        lines,
        x_label="epoch",
        x_ticks=sorted({1, *(math.ceil(last * share) for share in QUARTERS[1:])}),
        y_range=(0.0, highest),
        shares=(False, metric == "accuracy"),
    )


def confusions(material: Material) -> Section:
    """Return the matrices of PrivateTest over all seeds; the pointer shows the faces behind a cell."""
    counts = {
        name: confusion(*(run[Split.private_test] for run in system.seeds.values()))
        for name, system in material.systems.items()
    }
    matrices = [html.matrix(name, of.tolist()) for name, of in counts.items()]
    body = paragraph(
        "Rows are labels, columns the network's answers on PrivateTest, over all seeds; per cent of the row. A pointer "
        "on a cell shows the number of faces."
    )
    return Section("confusion", "Which emotion is taken for which", body + html.cards(matrices))


def calibration(material: Material) -> Section:
    """Return reliability diagrams before and after temperature scaling."""
    charts, rows = [], []
    for name, system in material.systems.items():
        bins = pooled_reliability(list(system.seeds.values()))
        lines = [Line(scaling, css, diagram(of)) for css, (scaling, of) in zip("ab", bins.items(), strict=True)]
        charts.append(chart(name, lines, x_label="confidence", shares=(True, True), diagonal=True))
        of = material.summary["systems"][name]["calibration"]
        rows.append(
            (name, f"{100 * of['before']['ece']:.1f}", f"{of['temperature']:.2f}", f"{100 * of['after']['ece']:.1f}")
        )
    body = paragraph(
        "Expected calibration error over 15 bins of confidence on PrivateTest, in points, before and after dividing "
        "the logits by one temperature fitted on PublicTest (Guo et al. 2017). On the dashed line a network is as "
        "often right as it says."
    )
    body += html.table(("system", "ECE", "temperature", "ECE scaled"), rows)
    body += html.legend({"a": "as trained", "b": "temperature scaled"}) + html.cards(charts)
    return Section("calibration", "How far its confidence can be trusted", body)


def diagram(bins: Reliability) -> list[tuple[float, float]]:
    """Return the bins that have faces, by rising confidence."""
    filled = bins.faces > 0
    return sorted(zip(bins.confidence[filled].tolist(), bins.accuracy[filled].tolist(), strict=True))


def duplicates(material: Material) -> Section:
    """Return the accuracy on PrivateTest's faces that stand in Training, nearly do, and do not."""
    leaks = {name: entry["leaks"] for name, entry in measured(material.summary).items()}
    css = dict(zip(LEAK_NAMES, "bca", strict=True))
    counts = {group: found["faces"] for group, found in next(iter(leaks.values())).items()}
    shown = [group for group in LEAK_NAMES if counts[group]]
    rows = []
    for name, of in leaks.items():
        scores = {group: [of[group][key] for key in ACCURACY] for group in shown}
        strip = html.dots([(LEAK_NAMES[group], css[group], *scores[group]) for group in shown], 0.0, 1.0)
        rows.append((name, strip, *(f"{100 * accuracy:.1f}" for accuracy, _, _ in scores.values())))
    body = paragraph(
        "A network that knows a face by heart is right about it for the wrong reason: accuracy on the faces of "
        "PrivateTest whose pixels also stand in Training, on those that nearly do, and on the others."
    )
    body += html.legend({css[group]: f"{LEAK_NAMES[group]} ({counts[group]:,} faces)" for group in shown})
    header = ("system", "0 to 100 %, 95 % intervals", *(LEAK_NAMES[group] for group in shown))
    return Section("duplicates", "Faces that Training has too", body + html.table(header, rows))


def ablation(material: Material) -> Section | None:
    """Return what each change is worth alone: accuracy and its paired difference from the base, as small bars."""
    variants, base = material.ablation, ablation_base(material)
    if base not in measured(material.summary):
        return None
    scores = {name: [variants[name][Split.private_test][key] for key in ACCURACY] for name in by_worth(variants)}
    edges = [edge for of in scores.values() for edge in of]
    mark = material.summary["systems"][base][Split.private_test]["accuracy"]
    low, high = math.floor(20 * min(*edges, mark)) / 20, math.ceil(20 * max(*edges, mark)) / 20
    cells = {name: ablation_row(name, variants[name], change(variants[name])) for name in scores}
    rows = [
        (name, html.dots([(name, "a", *of)], low, high, mark, base), *[*cells[name].values()][1:])
        for name, of in scores.items()
    ]
    first, *others = next(iter(cells.values()))
    header = (first, f"{100 * low:.0f} to {100 * high:.0f} %, 95 % intervals", *others)
    body = paragraph("One change of {} at a time, on the same seeds; the mark is {} itself.", base, base)
    return Section("ablation", "What each change is worth", body + html.table(header, rows))


def label_noise(material: Material) -> Section | None:
    """Return accuracy by how many of FER+'s annotators agreed, and how often their majority is the label."""
    noise = material.summary["label_noise"]
    if not noise:
        return None
    votes = {level: high for level, (_, high) in LEVELS.items()}

    def line(name: str, css: str, levels: Mapping[str, Any], key: str) -> Line:
        known = {level: of[key] for level, of in levels.items() if of[key] is not None}
        return Line(name, css, sorted((votes[level], share) for level, share in known.items()))

    found = noise[Split.private_test]
    majority = line("majority label", "e", found["by_votes"], "agreement")
    charts = [
        chart(
            name, [majority, line(name, "a", entry["agreement"]["by_votes"], "accuracy_label")],
            x_label="annotators of ten", x_ticks=(4, 6, 8, 10), shares=(False, True),
        )
        for name, entry in measured(material.summary).items()
        if entry["agreement"]
    ]  # fmt: skip
    body = paragraph(
        "FER+ asked ten annotators about each face. Their majority's answer is the label for {:.1f}&nbsp;% of "
        "PrivateTest; were labels drawn as they vote, no answer could be right for more than {:.1f}&nbsp;%. Below: how "
        "often the answer is the label, by how many of the ten gave the majority's (4 or fewer, 5, ... 10).",
        100 * found["agreement"],
        100 * found["ceiling"],
    )
    body += html.legend({"a": "the system", "e": "majority label"}) + html.cards(charts)
    return Section("noise", "Label noise", body)


def origin(material: Material) -> Section:
    """Return the data's hash; every system's seeds, device and parameters."""
    rows, configs = [], Markup()
    for name, system in material.systems.items():
        if name == ENSEMBLE:
            continue
        runs = system.provenances
        seeds, epochs = ", ".join(map(str, runs)), ", ".join(str(run["best_epoch"]) for run in runs.values())
        device = material.summary["systems"][name]["device"]
        rows.append((name, seeds, epochs, device, ", ".join(sorted({run["precision"] for run in runs.values()}))))
        text = json.dumps(next(iter(runs.values()))["config"], indent=2, sort_keys=True)
        configs += Markup("<details><summary>{}: its parameters</summary><pre>{}</pre></details>").format(name, text)
    body = paragraph("Data: SHA-256 of the CSV <code>{}</code>.", material.audit["source_sha256"])
    body += html.table(("system", "seeds", "epoch kept", "device", "precision"), rows) + configs
    return Section("origin", "Where it comes from", body)
