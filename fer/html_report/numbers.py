"""Sections of the report that show no face: results, copies, confusions, curves, calibration, label noise, the data."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.ablation import HEADER as VARIANT_HEADER
from fer.evaluation.ablation import conditions, ordered
from fer.evaluation.ablation import row as variant_row
from fer.evaluation.crowd import LEVELS
from fer.evaluation.figures import LEAK_NAMES
from fer.evaluation.metrics import TEST_SETS
from fer.evaluation.tables import HEADER, result_row, sentences_of
from fer.html_report import svg
from fer.html_report.elements import bullets, cards, paragraph, table
from fer.html_report.material import Material, Section, read_json, read_table

SET_NAMES = ("PublicTest", "PrivateTest", "leak-free", "no near-copies")
SET_CLASSES = dict(zip(TEST_SETS, "abcd", strict=False))
ENDS = ("low", "high")


def results(material: Material) -> Section:
    """Printed in the report and ours on every test set, with the intervals as small bars."""
    sets = dict(zip(TEST_SETS, SET_NAMES, strict=False))
    rows = []
    low, high = span(material.measured.values())
    for name, entry in material.measured.items():
        values = [
            svg.Dot(
                title,
                SET_CLASSES[test_set],
                *(entry[test_set][key] for key in ("accuracy", "accuracy_low", "accuracy_high")),
            )
            for test_set, title in sets.items()
            if test_set in entry
        ]
        reported = entry["reported"]
        cells = dict(zip(HEADER, result_row(name, entry), strict=True))
        rows.append(
            (name, svg.dots(values, reported["accuracy"] if reported else None, low, high), *list(cells.values())[1:])
        )
    waiting = sorted(set(material.summary["systems"]) - set(material.measured))
    body = svg.legend({SET_CLASSES[test_set]: title for test_set, title in sets.items()} | {"cross": "printed"})
    body += table((HEADER[0], f"{100 * low:.0f} to {100 * high:.0f} %, 95 % intervals", *HEADER[1:]), rows)
    body += paragraph(
        "Accuracy in per cent, mean ± standard deviation over seeds. <em>Leak-free</em> leaves out the PrivateTest "
        "faces whose pixels also stand in Training. Intervals are bootstrap intervals over faces."
    )
    if waiting:
        body += paragraph("Not yet run: {}.", ", ".join(waiting))
    body += Markup("<h3>Pair by pair</h3>") + bullets(sentences_of(material.summary))
    return Section("results", "Results", body)


def span(entries: Collection[Mapping[str, Any]]) -> tuple[float, float]:
    """Full tenths below and above every interval and printed number."""
    edges = [entry[name][f"accuracy_{end}"] for entry in entries for name in TEST_SETS if name in entry for end in ENDS]
    edges += [entry["reported"]["accuracy"] for entry in entries if entry["reported"] and entry["reported"]["accuracy"]]
    return math.floor(10 * min(edges, default=0.0)) / 10, math.ceil(10 * max(edges, default=1.0)) / 10


def audit(material: Material) -> Section:
    """What ingest found in the file, and the emotions of each split."""
    data = read_json(material.metrics / "data.json")
    kept, before = data["kept"], data["audit_before_cleaning"]
    lines = [
        f"{data['rows']:,} rows; kept: " + ", ".join(f"{split} {kept[split]:,}" for split in Split),
        "rejected: "
        + (
            ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in data["rejected"].items() if count)
            or "none"
        ),
        f"{before['duplicate_groups']:,} groups of identical images, {before['conflicting_groups']:,} with labels that "
        "conflict",
        f"also in Training, byte for byte: {before['in_training']['PrivateTest']:,} faces of PrivateTest and "
        f"{before['in_training']['PublicTest']:,} of PublicTest",
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
    body = bullets(lines) + Markup("<h3>Emotions in each split, share of its faces</h3>")
    body += svg.legend(dict(zip("abc", shares, strict=True)))
    body += Markup('<div class="scroll">{}</div>').format(svg.groups(shares, notes))
    return Section("data", "The data and its audit", body)


def curves(material: Material) -> Section | None:
    """Accuracy and loss after each epoch, the mean over seeds."""
    drawn = []
    for name in material.measured:
        for metric, share in (("accuracy", True), ("loss", False)):
            rows = read_table(material.plots / name / f"{metric}.csv")
            lines = [
                svg.Line(split, css, mean_by([(row["epoch"], row[metric]) for row in rows if row["split"] == split]))
                for split, css in (("train", "a"), ("validation", "b"))
            ]
            drawn.append(
                svg.chart(
                    f"{name}, {metric}",
                    lines,
                    x_label="epoch",
                    y_range=(0, 1) if share else None,
                    per_cent=(False, share),
                )
            )
    drawn = [one for one in drawn if one]
    if not drawn:
        return None
    return Section("curves", "Learning curves", svg.legend({"a": "Training", "b": "PublicTest"}) + cards(drawn))


def mean_by(pairs: Sequence[tuple[str, str]]) -> list[tuple[float, float]]:
    """(x, y) as text to the mean y of each x, by rising x."""
    found: dict[float, list[float]] = {}
    for x, y in pairs:
        found.setdefault(float(x), []).append(float(y))
    return [(x, sum(found[x]) / len(found[x])) for x in sorted(found)]


def confusions(material: Material) -> Section | None:
    """Matrices of PrivateTest over all seeds; the pointer shows the faces behind a cell."""
    drawn = []
    for name in material.measured:
        cells = {
            (row["actual"], row["predicted"]): int(row["faces"])
            for row in read_table(material.plots / name / "confusion.csv")
        }
        if cells:
            drawn.append(
                svg.matrix(name, [[cells[actual, named] for named in EMOTION_NAMES] for actual in EMOTION_NAMES])
            )
    body = paragraph(
        "Rows are labels, columns the network's answers on PrivateTest, over all seeds; per cent of the row. A pointer "
        "on a cell shows the number of faces."
    )
    return Section("confusion", "Which emotion is taken for which", body + cards(drawn)) if drawn else None


def calibration(material: Material) -> Section | None:
    """Reliability diagrams before and after temperature scaling."""
    measured = {name: entry for name, entry in material.measured.items() if entry.get("calibration")}
    drawn, rows = [], []
    for name, entry in measured.items():
        found = read_table(material.plots / name / "reliability.csv")
        scalings = sorted({row["scaling"] for row in found})
        lines = [
            svg.Line(
                scaling,
                "ab"[place],
                mean_by(
                    [
                        (row["confidence"], row["accuracy"])
                        for row in found
                        if row["scaling"] == scaling and int(row["faces"])
                    ]
                ),
            )
            for place, scaling in enumerate(scalings[:2])
        ]
        drawn.append(svg.chart(name, lines, x_label="confidence", y_range=(0, 1), per_cent=(True, True), diagonal=True))
        of = entry["calibration"]
        rows.append(
            (name, f"{100 * of['before']['ece']:.1f}", f"{of['temperature']:.2f}", f"{100 * of['after']['ece']:.1f}")
        )
    if not rows:
        return None
    body = paragraph(
        "Expected calibration error over 15 bins of confidence on PrivateTest, in points, before and after dividing "
        "the scores by one temperature fitted on PublicTest (Guo et al. 2017). On the dashed line a network is as "
        "often right as it says."
    )
    body += table(("system", "ECE", "temperature", "ECE scaled"), rows)
    body += svg.legend({"a": "as trained", "b": "temperature scaled"}) + cards([one for one in drawn if one])
    return Section("calibration", "How far its confidence can be trusted", body)


def copies(material: Material) -> Section | None:
    """Accuracy on PrivateTest's faces that stand in Training, nearly do, and do not."""
    groups = {name: entry["leaks"] for name, entry in material.measured.items() if entry.get("leaks")}
    if not groups:
        return None
    css = dict(zip(LEAK_NAMES, "bca", strict=True))
    counts = {group: found["faces"] for group, found in next(iter(groups.values())).items()}
    shown = [group for group in LEAK_NAMES if counts[group]]
    rows = []
    for name, of in groups.items():
        scores = {group: [of[group][key] for key in ("accuracy", "accuracy_low", "accuracy_high")] for group in shown}
        strip = svg.dots([svg.Dot(LEAK_NAMES[group], css[group], *scores[group]) for group in shown], None, 0.0, 1.0)
        rows.append((name, strip, *(f"{100 * accuracy:.1f}" for accuracy, _, _ in scores.values())))
    body = paragraph(
        "A network that knows a face by heart is right about it for the wrong reason: accuracy on the faces of "
        "PrivateTest whose pixels also stand in Training, on those that nearly do, and on the others."
    )
    body += svg.legend({css[group]: f"{LEAK_NAMES[group]} ({counts[group]:,} faces)" for group in shown})
    header = ("system", "0 to 100 %, 95 % intervals", *(LEAK_NAMES[group] for group in shown))
    return Section("copies", "Faces that Training has too", body + table(header, rows))


def ablation(material: Material) -> Section | None:
    """What each ingredient is worth alone: accuracy and its paired difference from the plain recipe, as small bars."""
    path = material.metrics / "ablation.json"
    variants = read_json(path)["variants"] if path.exists() else {}
    if not variants:
        return None
    scores = {name: entry[Split.private_test.value] for name, entry in variants.items()}
    edges = [score[f"accuracy_{end}"] for score in scores.values() for end in ENDS]
    low, high = math.floor(20 * min(edges)) / 20, math.ceil(20 * max(edges)) / 20
    rows = []
    for name in ordered(variants):
        score = scores[name]
        dot = svg.Dot(name, "a", *(score[key] for key in ("accuracy", "accuracy_low", "accuracy_high")))
        cells = variant_row(name, variants[name])
        rows.append((name, svg.dots([dot], scores["base"]["accuracy"], low, high, "base"), *cells[1:]))
    header = (VARIANT_HEADER[0], f"{100 * low:.0f} to {100 * high:.0f} %, 95 % intervals", *VARIANT_HEADER[1:])
    body = paragraph("Each ingredient of the large recipe added alone to a plain one; the mark is the plain one.")
    body += table(header, rows) + paragraph("{}", conditions(variants["base"]))
    return Section("ablation", "What each ingredient is worth", body)


def label_noise(material: Material) -> Section | None:
    """Accuracy by how many of FER+'s voters agreed, beside how often their choice is FER2013's label."""
    noise = material.summary.get("label_noise")
    if not noise:
        return None
    votes = {level: high for level, (_, high) in LEVELS.items()}

    def line(name: str, css: str, levels: Mapping[str, Any], key: str) -> svg.Line:
        known = {level: of[key] for level, of in levels.items() if of[key] is not None}
        return svg.Line(name, css, sorted((votes[level], share) for level, share in known.items()))

    of_crowd = line("the crowd's choice", "e", noise[Split.private_test]["by_votes"], "agreement")
    drawn = []
    for name, entry in material.measured.items():
        if entry.get("crowd"):
            ours = line(name, "a", entry["crowd"]["by_votes"], "accuracy_label")
            drawn.append(
                svg.chart(
                    name, [of_crowd, ours], x_label="voters of ten", x_steps=3, y_range=(0, 1), per_cent=(False, True)
                )
            )
    found = noise[Split.private_test]
    body = paragraph(
        "FER+ asked ten people about each face. Their choice is FER2013's label for {:.1f}&nbsp;% of PrivateTest; were "
        "labels drawn as they vote, no answer could be right for more than {:.1f}&nbsp;%. Below: how often the "
        "answer is the label, by how many of the ten made the crowd's choice (4 or fewer, 5, ... 10).",
        100 * found["agreement"],
        100 * found["ceiling"],
    )
    body += svg.legend({"a": "the system", "e": "the crowd's choice"}) + cards([one for one in drawn if one])
    return Section("noise", "Label noise", body)


def origin(material: Material) -> Section:
    """The data's hash; every system's seeds, device and parameters."""
    data = read_json(material.metrics / "data.json")
    rows, recipes = [], {}
    for name, entry in material.measured.items():
        runs = [read_json(path)["provenance"] for path in sorted((material.metrics / name).glob("*.json"))]
        if not runs:  # the ensemble is no training of its own
            continue
        seeds = ", ".join(str(run["seed"]) for run in runs)
        epochs = ", ".join(str(run["best_epoch"]) for run in runs)
        recipes[name] = {"model": runs[0]["model"], "distil": runs[0]["distil"], **runs[0]["recipe"]}
        rows.append((name, seeds, epochs, entry["device"], ", ".join(sorted({run["precision"] for run in runs}))))
    body = paragraph("Data: {}, SHA-256 of the CSV <code>{}</code>.", material.numbers, data["source_sha256"])
    if material.faces != material.numbers:
        body += paragraph("The faces on this page are drawn ones ({}): no photograph stands here.", material.faces)
    body += table(("system", "seeds", "epoch kept", "device", "precision"), rows)
    for name, recipe in recipes.items():
        text = json.dumps(recipe, indent=2, sort_keys=True)
        body += Markup("<details><summary>{}: its parameters</summary><pre>{}</pre></details>").format(name, text)
    return Section("origin", "Where it comes from", body)
