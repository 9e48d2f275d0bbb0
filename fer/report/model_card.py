"""docs/model_card.md: what the trained networks are for and not for, and what is known of them.

The sections are those of Mitchell et al., "Model cards for model reporting" (FAT* 2019). Every number comes from
docs/results.json and metrics/data.json, as git keeps them.
"""

from collections.abc import Mapping
from typing import Any

from fer.constants import EMOTION_NAMES, Split
from fer.evaluation.leaks import CLEAN, EXACT, NEAR
from fer.evaluation.metrics import LEAK_FREE, NO_NEAR_DUPLICATES
from fer.report.printed import is_fer2013
from fer.report.tables import class_rows, markdown, mean_and_std, measured
from fer.report.text import paragraph, points

PUBLIC, PRIVATE = Split.public_test.value, Split.private_test.value
GROUP_WORDS = {
    EXACT: "of the faces that also stand in Training",
    NEAR: "of those that nearly do",
    CLEAN: "of the others",
}
FIGURES = (
    "system", "starts from", "parameters", "seeds", "PublicTest", "PrivateTest", "95 % interval", "leak-free",
    "no near-duplicates", "balanced", "macro-F1",
)  # fmt: skip
CALIBRATION = ("system", "confidence", "accuracy", "ECE", "temperature", "ECE scaled", "log loss", "log loss scaled")

TITLE = """\
# Model card: facial expressions, trained on FER2013

Written by the stage `report` from [results.json](results.json) and [metrics](../metrics); what is changed by hand is
lost. Numbers are per cent, means ± standard deviations over seeds.
"""

TITLE_OF_OTHERS = TITLE.replace("trained on FER2013", "trained on other faces than FER2013's")

SOURCE = """
    FER2013 (Goodfellow et al., "Challenges in representation learning", ICONIP 2013): pictures that a search engine
    found for words of emotion, many of them posed, by actors or for stock photographs."""

SOURCE_OF_OTHERS = """
    What lay in data/source/. It is not FER2013: where it draws its faces, as the demo does, no number here says
    anything about people."""

INTENDED = """\
## What they are for

The networks take one grey face of 48x48 pixels, cropped as the data's are, and give seven probabilities: anger,
disgust, fear, happy, sad, surprise, neutral. They are for research on such networks and their evaluation, for teaching,
and for trying things out on pictures of people who agreed to it. What they name is the label that those who labelled
the data would have given to a picture, not what a person feels.

## What they are not for

- **Judging people.** A face does not tell reliably what someone feels (Barrett, Adolphs, Marsella, Martinez and Pollak,
  "Emotional expressions reconsidered", Psychological Science in the Public Interest, 2019). No decision about a person
  may rest on what they say: hiring, schooling, policing, border control, insurance, health, lie detection.
- **People at work or in education.** The European Union forbids systems that infer emotions there, other than for
  medical or safety reasons (Regulation (EU) 2024/1689, "AI Act", article 5(1)(f), which applies since 2 February 2025);
  other uses of emotion recognition count as high-risk there and must be told to those who are watched (annex III,
  article 50). Other places have rules of their own.
- **Watching people who did not agree,** or children.
- **Other pictures than the data's**: video, profiles, covered faces, colours. Nothing here was measured on them.
"""

PROTOCOL = """\
## Protocol

Training trains, PublicTest selects the epoch and the settings, PrivateTest is read once, after that. Each seed is a
training of its own. Intervals are 95 % bootstrap intervals over faces of the mean over seeds. *leak-free* leaves out
PrivateTest's faces whose pixels also stand in Training, *no near-duplicates* also those that nearly do. How each
network is trained stands in [params.yaml](../params.yaml) and in `metrics/{system}/{seed}.json`.
"""

LICENCE = """\
## Licence

MIT for the code and for the weights in [data/published](../data/published). FER2013's pictures were collected from the
web for research; they are not part of this repository, and the rights to them are their owners'. Weights that start
from others' (ImageNet, VGGFace2) carry those data sets' terms as well.
"""


def model_card(summary: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the whole file.

    Args:
        summary, data: the content of docs/results.json and of metrics/data.json.
    """
    systems = measured(summary)
    parts = [
        TITLE if is_fer2013(data) else TITLE_OF_OTHERS,
        INTENDED,
        data_section(data),
        noise_section(summary["label_noise"]),
        PROTOCOL,
        figures_section(systems),
        f"Per class on PrivateTest:\n\n{class_table(summary)}",
        calibration_section(systems),
        failures_section(systems),
        LICENCE if is_fer2013(data) else "",
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def data_section(data: Mapping[str, Any]) -> str:
    kept, training = data["kept"], data["class_counts"]["Training"]
    rarest, commonest = min(training, key=training.get), max(training, key=training.get)
    origin = paragraph(f"""{SOURCE if is_fer2013(data) else SOURCE_OF_OTHERS} Of {data["rows"]:,} rows
        {kept["Training"]:,} are kept in Training, {kept[PUBLIC]:,} in PublicTest and {kept[PRIVATE]:,} in PrivateTest;
        {data["rejected"]["constant_image"]} hold no picture.""")
    known = points(
        f"{commonest.capitalize()} has {training[commonest]:,} faces of Training, {rarest} {training[rarest]:,}.",
        *duplicates(data),
        """It does not say who is shown: age, gender, skin colour and origin are unknown, and so is how the networks
        differ between groups of people. Assume that they do.""",
    )
    return f"## Data\n\n{origin}\n\n{known}"


def duplicates(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the audit found, exact and near."""
    audit, near = data["audit"], data["near_duplicates"]
    share = 100 * near[PRIVATE]["faces"] / data["kept"][PRIVATE]
    return (
        f"""{audit["redundant_images"]:,} pictures are exact duplicates of another one, and
        {audit["conflicting_groups"]} pictures occur under more than one label. {audit["in_training"][PRIVATE]} of
        PrivateTest's and {audit["in_training"][PUBLIC]} of PublicTest's faces also stand in Training.""",
        f"""{near[PRIVATE]["faces"]} of PrivateTest's faces ({share:.1f} %) and {near[PUBLIC]["faces"]} of PublicTest's
        stand in Training exactly or nearly (correlation above {near["correlation"]:g}, mirror images included).""",
    )


def noise_section(noise: Mapping[str, Any] | None) -> str:
    """Return what FER+ says about the labels; nothing without votes."""
    if not noise:
        return ""
    private = noise[PRIVATE]
    unanimous = private["by_votes"]["10"]
    agreed = (
        f"({100 * unanimous['agreement']:.1f} % of the {unanimous['faces']:,} on which all ten agree on an emotion)"
        if unanimous["faces"]
        else ""
    )
    return paragraph(f"""
        Ten annotators looked at each face for FER+ (Barsoum et al., ICMI 2016). On PrivateTest the label is the
        majority's answer for {100 * private["agreement"]:.1f} % of the faces {agreed}, and one of them, chosen at
        random, gives the label for {100 * private["one_annotator"]:.1f} %. If labels were drawn as they vote, no
        network could be right on more than about {100 * private["ceiling"]:.1f} %.""").replace(" ,", ",")


def figures_section(measured: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            name,
            entry["starts_from"],
            f"{entry['parameters']:,}",
            str(entry["seeds"]),
            mean_and_std(entry[PUBLIC], "accuracy"),
            mean_and_std(entry[PRIVATE], "accuracy"),
            f"{100 * entry[PRIVATE]['accuracy_low']:.1f} to {100 * entry[PRIVATE]['accuracy_high']:.1f}",
            mean_and_std(entry[LEAK_FREE], "accuracy"),
            mean_and_std(entry[NO_NEAR_DUPLICATES], "accuracy"),
            mean_and_std(entry[PRIVATE], "balanced_accuracy"),
            mean_and_std(entry[PRIVATE], "macro_f1"),
        )
        for name, entry in measured.items()
    ]
    return f"## Figures\n\n{markdown(FIGURES, rows)}"


def class_table(summary: Mapping[str, Any]) -> str:
    return markdown(("system", *EMOTION_NAMES), [row[:-1] for row in class_rows(summary)[1:]])


def calibration_section(measured: Mapping[str, Any]) -> str:
    """Return confidence and expected calibration error on PrivateTest, as trained and after temperature scaling."""
    rows: list[tuple[str, ...]] = []
    for name, entry in measured.items():
        of = entry["calibration"]
        rows.append(
            (
                name,
                f"{100 * of['before']['confidence']:.1f}",
                f"{100 * entry[PRIVATE]['accuracy']:.1f}",
                mean_and_std(of["before"], "ece"),
                f"{of['temperature']:.2f}",
                mean_and_std(of["after"], "ece"),
                f"{of['before']['log_loss']:.3f}",
                f"{of['after']['log_loss']:.3f}",
            )
        )
    return f"""\
## Calibration

On PrivateTest, before and after the logits are divided by a temperature that was fitted on PublicTest (Guo et al., ICML
2017; 15 bins). Networks in data/published carry such a temperature, and `predict`, `app`
and ONNX divide by it.

{markdown(CALIBRATION, rows)}
"""


def failures_section(measured: Mapping[str, Any]) -> str:
    """Return what each network gets wrong most often, and how much better it is on faces that it has trained on."""
    lines = points(*(f"{name}: {confusions(entry)}; {leaked(entry)}." for name, entry in measured.items()))
    return f"## Known failures\n\nOn PrivateTest:\n\n{lines}"


def confusions(entry: Mapping[str, Any]) -> str:
    """Return `28 % of disgust is named anger`, the three largest."""
    largest = sorted(entry["confusions"].items(), key=lambda item: (-item[1], item[0]))[:3]
    words = [(*name.split("_as_"), share) for name, share in largest]
    return ", ".join(f"{100 * share:.0f} % of {actual} is named {named}" for actual, named, share in words)


def leaked(entry: Mapping[str, Any]) -> str:
    """Return how often it is right, by whether the face stands in Training."""
    shares = [(GROUP_WORDS[group], scores["accuracy"]) for group, scores in sorted(entry["leaks"].items(), key=order)]
    known = [f"{100 * share:.0f} % {words}" for words, share in shares if share is not None]
    return f"right on {', '.join(known)}"


def order(item: tuple[str, Any]) -> int:
    return list(GROUP_WORDS).index(item[0])
