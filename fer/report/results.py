"""docs/results.md: every number in tables and sentences, from the rounded JSON that git keeps; its text is the .j2."""

from collections.abc import Mapping
from typing import Any

from fer.constants import Split
from fer.evaluation.metrics import TEST_SETS
from fer.report.material import Material
from fer.report.systems import ENSEMBLE
from fer.report.tables import (
    BEYOND_COLUMNS,
    NOT_MEASURED,
    RESULT_COLUMNS,
    beyond_rows,
    class_rows,
    has_reports,
    mean_and_std,
    measured,
    not_run_rows,
    printed_class_rows,
    result_columns,
    result_rows,
    sentences_of,
    table,
)
from fer.report.text import per_cent, render

PRIVATE = Split.private_test.value


def results(material: Material) -> str:
    """Return the whole file."""
    summary = material.summary
    not_run, printed_classes, ablation = not_run_rows(summary), printed_class_rows(summary), ablation_rows(material)
    return render(
        "results.md.j2",
        dataset=material.dataset,
        has_reports=has_reports(summary),
        results=table(result_rows(summary)),
        result_columns={name: RESULT_COLUMNS[name] for name in result_columns(summary)},
        not_run=table(not_run, words=True) if not_run else "",
        sentences=sentences_of(summary),
        beyond=table(beyond_rows(summary)),
        beyond_columns=BEYOND_COLUMNS,
        classes=table(class_rows(summary)),
        printed_classes=table(printed_classes) if printed_classes else "",
        ensemble=material.ensemble,
        members=table(member_rows(material.ensemble)),
        base=ablation_base(material),
        ablation=table(ablation) if ablation else "",
        audit=material.audit,
        noise=summary["label_noise"] and summary["label_noise"][PRIVATE],
        trained=[name for name in measured(summary) if name != ENSEMBLE],
        explained=[*material.explained],
    )


def member_rows(ensemble: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the ensemble's members, the heaviest first."""
    members = sorted(ensemble["members"].items(), key=lambda item: (-item[1]["weight"], item[0]))
    return [
        {
            "member": name,
            "weight, %": per_cent(of["weight"], ".0f"),
            "temperature": f"{of['temperature']:.2f}",
            "PublicTest": per_cent(of["PublicTest"]),
            "PrivateTest": per_cent(of["PrivateTest"]),
            "leak-free": per_cent(of["leak_free"]),
        }
        for name, of in members
    ]


def ablation_base(material: Material) -> str:
    """Return the system that the variants change; nothing where none was run."""
    return next((str(variant["base"]) for variant in material.ablation.values()), "")


def ablation_rows(material: Material) -> list[dict[str, str]]:
    """Return the base, where it was run, and the variants, the one that helps most first."""
    base, variants = ablation_base(material), material.ablation
    entry = measured(material.summary).get(base)
    first = [ablation_row(f"{base} (base)", entry, NOT_MEASURED)] if entry else []
    return first + [ablation_row(name, variants[name], change(variants[name])) for name in by_worth(variants)]


def ablation_row(name: str, entry: Mapping[str, Any], difference: str) -> dict[str, str]:
    public, private, leak_free = (mean_and_std(entry[test_set], "accuracy") for test_set in TEST_SETS[:3])
    return {
        "change": name,
        "PublicTest": public,
        "PrivateTest": private,
        "leak-free": leak_free,
        "difference on PrivateTest": difference,
        "parameters": f"{entry['parameters']:,}",
        "seeds": str(entry["seeds"]),
    }


def change(variant: Mapping[str, Any]) -> str:
    """Return `+1.2 (+0.3 to +2.1)`, in points on PrivateTest."""
    keys = ("difference", "difference_low", "difference_high")
    points, low, high = (per_cent(variant[PRIVATE][key], "+.1f") for key in keys)
    return f"{points} ({low} to {high})"


def by_worth(variants: Mapping[str, Any]) -> list[str]:
    return sorted(variants, key=lambda name: (-variants[name][PRIVATE]["difference"], name))
