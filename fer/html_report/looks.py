"""Sections of the report about what the networks look at, and those that show faces."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fer.emotions import EMOTION_NAMES, Emotion, Split
from fer.evaluation.galleries import GALLERIES
from fer.evaluation.predictions import Predictions, read_predictions
from fer.html_report import svg
from fer.html_report.elements import bullets, cards, inline, paragraph, picture, table
from fer.html_report.material import MAPS, Material, Section, read_json, read_table
from fer.interpretability.explain import read_maps
from fer.interpretability.figures import LINES, overlay
from fer.interpretability.halves import CLAIMS
from fer.interpretability.halves import sentence as half_sentence
from fer.interpretability.methods import TITLES

SHOWN_FACES = 6  # of a gallery


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
