"""What class weights buy and cost: twins are found by their configs."""

from typing import Any

import pytest

from fer.report.class_weights import effects, sentence, twins


def run(**changes: Any) -> dict[str, Any]:
    """Return a provenance; `changes` are its config's."""
    return {"config": {"network": {"filters": [32]}, "epochs": 40, "class_weights": "none", **changes}}


RUNS = {
    "plain": run(),
    "weighted": run(class_weights="balanced"),
    "longer": run(epochs=50, class_weights="balanced"),
    "student": run(class_weights="balanced") | {"teachers": ["0"]},
    "other": run(network={"filters": [16]}, class_weights="balanced"),
    "transferred": run(class_weights="balanced") | {"weights_sha256": "1"},
    "ensemble": {"config": {}},
}
SYSTEMS = {
    "plain": {"seeds": 3, "PrivateTest": {"accuracy": 0.6, "balanced_accuracy": 0.5, "macro_f1": 0.55, "class_accuracy": {"anger": 0.7, "disgust": 0.2}}},  # noqa: E501
    "weighted": {"seeds": 1, "PrivateTest": {"accuracy": 0.58, "balanced_accuracy": 0.56, "macro_f1": 0.555, "class_accuracy": {"anger": 0.6, "disgust": 0.5}}},  # noqa: E501
}  # fmt: skip


def test_a_twin_differs_in_its_weights_alone() -> None:
    assert twins(RUNS) == [("weighted", "plain")]


def test_what_they_buy_and_cost() -> None:
    effect = effects(SYSTEMS, [("weighted", "plain")])["weighted_vs_plain"]
    assert effect["accuracy"] == pytest.approx(-0.02)
    assert effect["balanced_accuracy"] == pytest.approx(0.06)
    assert effect["class_accuracy"] == pytest.approx({"anger": -0.1, "disgust": 0.3})
    assert sentence(effect) == (
        "weighted against plain (seeds: 1 and 3), class weights alone: balanced accuracy +6.0, macro-F1 +0.5, accuracy "
        "-2.0 points on PrivateTest; most for disgust (+30.0), least for anger (-10.0)"
    )
