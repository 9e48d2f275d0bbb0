"""docs/results.md: every number in tables and sentences, from the rounded JSON that git keeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer.constants import Split
from fer.evaluation.metrics import LEAK_FREE, TEST_SETS
from fer.report.material import Material
from fer.report.systems import ENSEMBLE
from fer.report.tables import (
    BEYOND_COLUMNS,
    CLASS_HEADER,
    NOT_MEASURED,
    PRINTED_CLASS_HEADER,
    RESULT_COLUMNS,
    beyond_rows,
    class_rows,
    has_reports,
    markdown,
    mean_and_std,
    measured,
    not_run_table,
    printed_class_rows,
    result_columns,
    result_rows,
    sentences_of,
)
from fer.report.text import paragraph

ABLATION_HEADER = (
    "change",
    "PublicTest",
    "PrivateTest",
    "leak-free",
    "difference on PrivateTest",
    "parameters",
    "seeds",
)
PRIVATE = Split.private_test.value
SETS = ("PublicTest", "PrivateTest", "leak_free")  # of a member of the ensemble


def results(material: Material) -> str:
    """Return the whole file."""
    sections = [
        main_section(material),
        not_run_section(material.summary),
        pairs_section(material.summary),
        beyond_section(material.summary),
        classes_section(material.summary),
        ensemble_section(material.ensemble),
        ablation_section(material),
        duplicates_section(material),
        agreement_section(material.summary),
        pictures_section(material),
    ]
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def main_section(material: Material) -> str:
    columns = result_columns(material.summary)
    return f"""\
# Results on {material.dataset}

Written by the stage `report`; what is changed by hand is lost. Per cent, mean ± standard deviation over seeds. Training
trains, PublicTest selects, PrivateTest is read once, at the end.

{markdown(columns, result_rows(material.summary))}

{legend({name: RESULT_COLUMNS[name] for name in columns})}

![Accuracy of each system with its 95 % interval](../plots/summary/accuracy.png)"""


def legend(columns: Mapping[str, str]) -> str:
    """Return a line for each column."""
    return "\n".join(f"- *{name}*: {words}" for name, words in columns.items())


def not_run_section(summary: Mapping[str, Any]) -> str:
    columns, rows = not_run_table(summary)
    if not rows:
        return ""
    return f"""\
## Not run

These have a block in params.yaml and stand in no list of `run`.

{markdown(columns, rows, words=columns)}"""


def pairs_section(summary: Mapping[str, Any]) -> str:
    lines = "\n".join(f"- {text}" for text in sentences_of(summary))
    if not lines:
        return ""
    return f"""\
## One against another

The same faces, seed by seed (McNemar's test); *shown* means that the interval of the difference leaves out zero.

{lines}"""


def beyond_section(summary: Mapping[str, Any]) -> str:
    return f"""\
## Beyond accuracy, on PrivateTest

{markdown(("system", *BEYOND_COLUMNS), beyond_rows(summary))}

{legend(BEYOND_COLUMNS)}"""


def classes_section(summary: Mapping[str, Any]) -> str:
    text = f"""\
## Per emotion

Per cent of each emotion's faces of PrivateTest that are named right.

{markdown(CLASS_HEADER, class_rows(summary))}"""
    if has_reports(summary):
        text += f"""

*people*: posed photographs in a psychological study; for all faces, report 000's authors on FER2013 (both as report
000 prints them). As the reports printed it / ours, on the report's split:

{markdown(PRINTED_CLASS_HEADER, printed_class_rows(summary))}"""
    return text


def ensemble_section(content: Mapping[str, Any]) -> str:
    """Return the ensemble against the best single network, in words."""
    private, single = content[PRIVATE], content["best_single"]
    against = content["against_best_single"][PRIVATE]
    members = sorted(content["members"].items(), key=lambda item: (-item[1]["weight"], item[0]))
    rows = [
        (name, f"{100 * of['weight']:.0f}", f"{of['temperature']:.2f}", *(f"{100 * of[key]:.1f}" for key in SETS))
        for name, of in members
    ]
    text = f"""The mean of the probabilities of {len(members)} of {content["candidates"]} networks, chosen with their
        weights on PublicTest alone (Caruana et al. 2004), each with a temperature of its own.
        **{100 * private["accuracy"]:.1f} % of PrivateTest** (95 % interval {100 * private["accuracy_low"]:.1f} to
        {100 * private["accuracy_high"]:.1f}), {100 * content[LEAK_FREE]["accuracy"]:.1f} % leak-free. The network that
        is best on PublicTest, `{single["name"]}`, has {100 * single[PRIVATE]:.1f} %:
        {100 * against["difference"]:+.1f} points for the ensemble, 95 % interval
        {100 * against["difference_low"]:.1f} to {100 * against["difference_high"]:.1f}."""
    return f"""\
## Ensemble

{paragraph(text)}

{markdown(("member", "weight, %", "temperature", "PublicTest", "PrivateTest", "leak-free"), rows)}"""


def ablation_section(material: Material) -> str:
    """Return the variants, the one that helps most first; nothing where none was run."""
    variants = material.ablation
    if not variants:
        return ""
    base = next(iter(variants.values()))["base"]
    entry = material.summary["systems"].get(base)
    first = [ablation_row(f"{base} (base)", entry, NOT_MEASURED)] if entry and entry["seeds"] else []
    rows = [ablation_row(name, variants[name], change(variants[name])) for name in by_worth(variants)]
    text = f"""One change of `{base}` at a time, on the same seeds and faces. The intervals are over faces; the spread
        over seeds, after ±, is another one."""
    return f"""\
## Ablation

{paragraph(text)}

{markdown(ABLATION_HEADER, [*first, *rows])}"""


def ablation_row(name: str, entry: Mapping[str, Any], difference: str) -> tuple[str, ...]:
    accuracies = (mean_and_std(entry[test_set], "accuracy") for test_set in TEST_SETS[:3])
    return (name, *accuracies, difference, f"{entry['parameters']:,}", str(entry["seeds"]))


def change(variant: Mapping[str, Any]) -> str:
    """Return `+1.2 (+0.3 to +2.1)`, in points on PrivateTest."""
    points, low, high = (100 * variant[PRIVATE][key] for key in ("difference", "difference_low", "difference_high"))
    return f"{points:+.1f} ({low:+.1f} to {high:+.1f})"


def by_worth(variants: Mapping[str, Any]) -> Sequence[str]:
    return sorted(variants, key=lambda name: (-variants[name][PRIVATE]["difference"], name))


def duplicates_section(material: Material) -> str:
    audit, near = material.audit["audit"]["in_training"], material.audit["near_duplicates"]
    faces = material.audit["kept"][PRIVATE]
    text = f"""{audit[PRIVATE]:,} PrivateTest faces also stand in Training byte for byte; {near[PRIVATE]["faces"]:,}
        ({100 * near[PRIVATE]["faces"] / faces:.1f} %) do so exactly or nearly: their correlation with a Training face
        or its mirror image is above {near["correlation"]:g}. Of PublicTest it is {audit["PublicTest"]:,} and
        {near["PublicTest"]["faces"]:,}."""
    return f"""\
## Test faces that Training has too

{paragraph(text)}

![Accuracy of each system on duplicates and on clean faces](../plots/summary/leaks.png)"""


def agreement_section(summary: Mapping[str, Any]) -> str:
    """Return what FER+'s annotators say of the labels; nothing without their votes."""
    if not summary["label_noise"]:
        return ""
    noise = summary["label_noise"][PRIVATE]
    text = f"""Ten annotators voted on each face for FER+ (Barsoum et al. 2016). The label is the majority's answer for
        {100 * noise["agreement"]:.1f} % of PrivateTest, and one annotator, chosen at random, gives it for
        {100 * noise["one_annotator"]:.1f} %. If labels were drawn as these annotators vote, no network could be right
        on more than {100 * noise["ceiling"]:.1f} %: an estimate that ten votes flatter. Each network's accuracy by how
        many annotators agree:"""
    return f"""\
## FER+ agreement

{paragraph(text)}

![Accuracy by annotator agreement](../plots/agreement/agreement.png)"""


def pictures_section(material: Material) -> str:
    trained = [name for name in measured(material.summary) if name != ENSEMBLE]
    kinds = ("curves", "confusion", "class_accuracy", "reliability")
    lines = [f"- {name}: {links(f'../plots/{name}/pictures', kinds)}" for name in trained]
    lines += [
        f"- {name}, what it looks at: {links(f'../plots/explain/{name}', ('mean_maps', 'faithfulness'))}"
        for name in material.explained
    ]
    text = "\n".join(lines)
    return f"""\
## Pictures

[report.html](report.html) shows all of this on one page, and each emotion's mean maps.

{text}"""


def links(folder: str, names: Sequence[str]) -> str:
    return ", ".join(f"[{name.replace('_', ' ')}]({Path(folder) / name}.png)" for name in names)
