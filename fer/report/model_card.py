"""docs/model_card.md: what the trained networks are for and not for, and what is known of them.

The sections are those of Mitchell et al., "Model cards for model reporting" (FAT* 2019); the text is in
model_card.md.j2. Every number comes from docs/results.json and metrics/data.json, as git keeps them.
"""

from collections.abc import Mapping
from typing import Any

from fer.constants import Split
from fer.evaluation.leaks import CLEAN, EXACT, NEAR
from fer.evaluation.metrics import LEAK_FREE, NO_NEAR_DUPLICATES
from fer.report.material import Material
from fer.report.printed import is_fer2013
from fer.report.tables import class_rows, mean_and_std, measured, table
from fer.report.text import per_cent, render

PUBLIC, PRIVATE = Split.public_test.value, Split.private_test.value
GROUP_WORDS = {
    EXACT: "of the faces that also stand in Training",
    NEAR: "of those that nearly do",
    CLEAN: "of the others",
}


def model_card(material: Material) -> str:
    """Return the whole file."""
    summary, training = material.summary, material.audit["class_counts"]["Training"]
    systems = measured(summary)
    return render(
        "model_card.md.j2",
        dataset=material.dataset,
        is_fer2013=is_fer2013(material.audit),
        data=material.audit,
        commonest=max(training, key=training.get),
        rarest=min(training, key=training.get),
        noise=summary["label_noise"] and summary["label_noise"][PRIVATE],
        figures=table([figures(name, entry) for name, entry in systems.items()]),
        classes=table([without(row, "all faces") for row in class_rows(summary) if row["system"] in systems]),
        calibration=table([calibration(name, entry) for name, entry in systems.items()]),
        failures=[f"{name}: {confusions(entry)}; {leaked(entry)}." for name, entry in systems.items()],
    )


def figures(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    private = entry[PRIVATE]
    return {
        "system": name,
        "starts from": entry["starts_from"],
        "parameters": f"{entry['parameters']:,}",
        "seeds": str(entry["seeds"]),
        "PublicTest": mean_and_std(entry[PUBLIC], "accuracy"),
        "PrivateTest": mean_and_std(private, "accuracy"),
        "95 % interval": f"{per_cent(private['accuracy_low'])} to {per_cent(private['accuracy_high'])}",
        "leak-free": mean_and_std(entry[LEAK_FREE], "accuracy"),
        "no near-duplicates": mean_and_std(entry[NO_NEAR_DUPLICATES], "accuracy"),
        "balanced": mean_and_std(private, "balanced_accuracy"),
        "macro-F1": mean_and_std(private, "macro_f1"),
    }


def without(row: Mapping[str, str], column: str) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if name != column}


def calibration(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Return confidence and expected calibration error on PrivateTest, as trained and after temperature scaling."""
    before, after = entry["calibration"]["before"], entry["calibration"]["after"]
    return {
        "system": name,
        "confidence": per_cent(before["confidence"]),
        "accuracy": per_cent(entry[PRIVATE]["accuracy"]),
        "ECE": mean_and_std(before, "ece"),
        "temperature": f"{entry['calibration']['temperature']:.2f}",
        "ECE scaled": mean_and_std(after, "ece"),
        "log loss": f"{before['log_loss']:.3f}",
        "log loss scaled": f"{after['log_loss']:.3f}",
    }


def confusions(entry: Mapping[str, Any]) -> str:
    """Return `28 % of disgust is named anger`, the three largest."""
    largest = sorted(entry["confusions"].items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{per_cent(share, '.0f')} % of {name.replace('_as_', ' is named ')}" for name, share in largest)


def leaked(entry: Mapping[str, Any]) -> str:
    """Return how often it is right, by whether the face stands in Training."""
    shares = {words: entry["leaks"][group]["accuracy"] for group, words in GROUP_WORDS.items()}
    known = [f"{per_cent(share, '.0f')} % {words}" for words, share in shares.items() if share is not None]
    return f"right on {', '.join(known)}"
