"""report.html: one page that stands alone, from what the other stages wrote.

The page is SECTIONS in order, each a function of the material that gives a section or None. Adding a figure means
adding one function here and its name to SECTIONS. What text comes from data goes through Markup.format, which escapes
it; the page's frame and its styles stand in report.html.j2.
"""

import base64
import csv
import io
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from fer.data.store import Faces, open_store, read_split
from fer.emotions import EMOTION_NAMES, Emotion, Split
from fer.evaluation import svg
from fer.evaluation.galleries import GALLERIES
from fer.evaluation.metrics import TEST_SETS
from fer.evaluation.predictions import Predictions, read_predictions
from fer.evaluation.tables import HEADER, result_row, sentences_of
from fer.files import write_text
from fer.interpretability.explain import read_maps
from fer.interpretability.figures import LINES, overlay
from fer.interpretability.halves import CLAIMS
from fer.interpretability.halves import sentence as half_sentence
from fer.interpretability.methods import TITLES
from fer.reports import REPORTED_ON

MAPS = "maps.safetensors"  # what explain leaves of a system that it explained
PUBLIC_FACES = "synthetic"  # the drawn faces of the page that stands in git, beside REPORTED_ON's numbers
TEMPLATE = Path(__file__).with_name("report.html.j2")
SET_NAMES = ("PublicTest", "PrivateTest", "leak-free", "no near-copies")
SET_CLASSES = dict(zip(TEST_SETS, "abcd", strict=False))
ENDS = ("low", "high")
SHOWN_FACES = 6  # of a gallery


class Section(NamedTuple):
    """A part of the page: `name` is its anchor."""

    name: str
    title: str
    body: Markup


@dataclass(frozen=True)
class Material:
    """What the page is made of: the numbers of one dataset, and the faces of the same or another.

    Attributes:
        numbers, metrics, plots: a dataset's name, its metrics/ and its plots/.
        faces, face_metrics, explained, predictions, store: the name of the dataset whose faces are shown, and where
            they and the answers to them lie.
    """

    numbers: str
    metrics: Path
    plots: Path
    faces: str
    face_metrics: Path
    explained: Path
    predictions: Path
    store: Path

    @classmethod
    def of(cls, numbers: str, faces: str, root: Path = Path()) -> "Material":
        """Everything at its place in the project's folder."""
        return cls(
            numbers=numbers,
            metrics=root / "metrics" / numbers,
            plots=root / "plots" / numbers,
            faces=faces,
            face_metrics=root / "metrics" / faces,
            explained=root / "data" / "explained" / faces,
            predictions=root / "data" / "predictions" / faces,
            store=root / "data" / "normalised" / f"{faces}.h5",
        )

    @cached_property
    def summary(self) -> dict[str, Any]:
        return read_json(self.metrics / "summary.json")

    @property
    def measured(self) -> dict[str, dict[str, Any]]:
        return {name: entry for name, entry in self.summary["systems"].items() if entry["seeds"]}

    @cached_property
    def shown_split(self) -> Faces:
        with open_store(self.store) as file:
            return read_split(file, Split.private_test)

    def explained_systems(self) -> Iterator[Path]:
        yield from sorted(path.parent for path in self.explained.glob(f"*/{MAPS}"))


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_table(path: Path) -> list[dict[str, str]]:
    """A table of plots/; empty where it was not written."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def picture(pixels: NDArray[np.uint8], words: str) -> Markup:
    """An image element that holds its PNG; grey (H, W) or RGB (H, W, 3)."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    return inline(content.getvalue(), words)


def inline(png: bytes, words: str) -> Markup:
    text = base64.b64encode(png).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}" loading="lazy">').format(text, words)


def paragraph(text: str, *values: object) -> Markup:
    return Markup("<p>") + Markup(text).format(*values) + Markup("</p>")


def bullets(lines: Sequence[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(svg.join([Markup("<li>{}</li>").format(line) for line in lines]))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """In a box of its own that scrolls; the first column names the row."""
    head = svg.join([Markup('<th scope="col">{}</th>').format(name) for name in header])
    body = svg.join(
        [
            Markup('<tr><th scope="row">{}</th>{}</tr>').format(
                row[0], svg.join([Markup("<td>{}</td>").format(cell) for cell in row[1:]])
            )
            for row in rows
        ]
    )
    return Markup(
        '<div class="scroll" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


def cards(parts: Sequence[Markup]) -> Markup:
    return Markup('<div class="cards">{}</div>').format(svg.join(parts))


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


def label_noise(material: Material) -> Section | None:
    """What the crowd of FER+ says of the labels, as a picture."""
    path = material.plots / "pictures" / "agreement.png"
    if not material.summary.get("label_noise") or not path.exists():
        return None
    body = paragraph("FER+ asked ten people about each face. Accuracy against FER2013's own label, by how many agreed:")
    return Section("noise", "Label noise", body + inline(path.read_bytes(), "Accuracy by the crowd's agreement"))


def explanations(material: Material) -> Section | None:
    """Mean maps, the halves against report 000, and whether the maps are faithful: all on the numbers' dataset."""
    body = Markup("")
    for path in sorted(material.metrics.glob("explain/*.json")):
        found, name = read_json(path), path.stem
        if not found["faces"]:
            continue
        plots = material.plots / "explain" / name
        body += Markup("<h3>{}, {} faces of PrivateTest</h3>").format(name, found["faces"])
        body += Markup('<div class="scroll">{}</div>').format(
            inline(
                (plots / "pictures" / "mean_maps.png").read_bytes(), f"{name}: mean map of each emotion by each method"
            )
        )
        body += bullets(
            [
                f"{TITLES[method]}: {half_sentence(emotion, located[emotion.name])}"
                for method, located in found["upper_half"].items()
                for emotion in CLAIMS
            ]
        )
        body += faithfulness(found["faithfulness"], plots)
    intro = paragraph(
        "Report 000 says that anger is read from the upper half of the face and happiness from the lower one. A map is "
        "tested by deleting and inserting pixels in its order (RISE, Petsiuk et al. 2018): the better it is, the lower "
        "the area under the deletion curve and the higher the one under the insertion curve. Maps of chance stand "
        "beside."
    )
    return Section("maps", "What the networks look at", intro + body) if body else None


def faithfulness(scores: Mapping[str, Any], plots: Path) -> Markup:
    """The areas under the curves with their intervals, then the curves."""
    rows = [
        (LINES[name][0], *(interval(scores[name][kind]) for kind in ("deletion", "insertion")))
        for name in LINES
        if name in scores
    ]
    drawn = []
    for kind in ("deletion", "insertion"):
        found = read_table(plots / f"{kind}.csv")
        lines = [
            svg.Line(
                title,
                css,
                [(float(row["pixels"]), float(row["probability"])) for row in found if row["method"] == name],
            )
            for css, (name, (title, _, _)) in zip("abcde", LINES.items(), strict=True)
        ]
        drawn.append(svg.chart(kind, lines, x_label="pixels", y_range=(0, 1), per_cent=(True, True)))
    keys = svg.legend({css: title for css, (title, _, _) in zip("abcde", LINES.values(), strict=True)})
    return table(("method", "deletion (lower is better)", "insertion (higher is better)"), rows) + keys + cards(drawn)


def interval(found: Mapping[str, float]) -> str:
    return f"{100 * found['mean']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def faces_beside_maps(material: Material) -> Section | None:
    """The same faces under every method."""
    body = Markup("")
    for folder in material.explained_systems():
        shown = read_maps(folder / MAPS)
        tiles = []
        for place, face in enumerate(shown.images):
            label = EMOTION_NAMES[shown.labels[place]]
            share = shown.probabilities[place, shown.labels[place]]
            strip = [picture(face, f"face labelled {label}")] + [
                picture(overlay(face, shown.maps[name][place]), f"{title} of the face labelled {label}")
                for name, title in TITLES.items()
            ]
            words = Markup("<figcaption>{}: {:.0f} %, row {}</figcaption>").format(
                label, 100 * share, shown.rows[place]
            )
            tiles.append(Markup('<figure class="strip4">{}{}</figure>').format(svg.join(strip), words))
        body += Markup('<h3>{}</h3><div class="tiles">{}</div>').format(folder.name, svg.join(tiles))
    intro = paragraph(
        "Each emotion's first face of PrivateTest ({} faces), right or wrong: the face, saliency (Simonyan et al. "
        "2014), occlusion (Zeiler and Fergus 2014), Grad-CAM (Selvaraju et al. 2017), and the label's probability.",
        material.faces,
    )
    return Section("faces", "The same faces under each method", intro + body) if body else None


def galleries(material: Material) -> Section | None:
    """Report 002's galleries of one system: most confident mistakes, right second choices, confused pairs."""
    body = Markup("")
    for folder in material.explained_systems():
        chosen = read_json(folder / "galleries.json")
        seed = read_json(material.face_metrics / "explain" / f"{folder.name}.json")["seed"]
        predictions = read_predictions(material.predictions / folder.name / f"{seed}.safetensors")[0][
            Split.private_test
        ]
        body += Markup("<h3>{}</h3>").format(folder.name)
        for name, gallery in GALLERIES.items():
            places = chosen[name]["places"][:SHOWN_FACES]
            tiles = [answer(predictions, material.shown_split.images, place) for place in places]
            content = svg.join(tiles) or Markup("<p>no such face</p>")
            body += Markup('<h4>{}: {} faces</h4><div class="tiles small">{}</div>').format(
                gallery.title, chosen[name]["faces"], content
            )
    intro = paragraph("PrivateTest, {} faces: the network's answer, then the label.", material.faces)
    return Section("galleries", "Galleries", intro + body) if body else None


def answer(predictions: Predictions, images: NDArray[np.uint8], place: int) -> Markup:
    """A face, the answer and the label with their probabilities as bars."""
    label, named = Emotion(int(predictions.labels[place])), Emotion(int(predictions.predicted[place]))
    shares = predictions.probabilities[place]
    bars = [
        Markup('<span class="share {}" style="--share:{:.0f}%">{} {:.0f} %</span>').format(
            css, 100 * shares[emotion], emotion.name, 100 * shares[emotion]
        )
        for css, emotion in (("b", named), ("a", label))
    ]
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(
        picture(images[place], f"labelled {label.name}, named {named.name}"), svg.join(bars)
    )


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


SECTIONS: list[Callable[[Material], Section | None]] = [
    results,
    explanations,
    faces_beside_maps,
    galleries,
    confusions,
    curves,
    calibration,
    label_noise,
    audit,
    origin,
]


def write_report(material: Material, path: Path) -> None:
    """The whole page; needs no other file, no network and no script."""
    sections = [section for section in (make(material) for make in SECTIONS) if section]
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template(TEMPLATE.name).render(
        sections=sections,
        numbers=material.numbers,
        faces=material.faces,
        systems=len(material.measured),
        seeds=sum(entry["seeds"] for entry in material.measured.values()),
    )
    write_text(path, page + "\n")


def write_public_report(path: Path, root: Path = Path()) -> None:
    """The page that stands in git: FER2013's numbers, curves and mean maps, and drawn faces only."""
    write_report(Material.of(REPORTED_ON, PUBLIC_FACES, root), path)
