"""docs/model_card.md: what it says is in the metrics, and it warns of what must not be done."""

import json
from pathlib import Path
from typing import Any

import pytest

from fer.report.material import Material
from fer.report.model_card import confusions, leaked, model_card
from fer.report.text import paragraph
from tests.report.folder import audit


@pytest.fixture
def summary(docs: Path) -> Any:
    return json.loads((docs / "results.json").read_text())


def card(summary: Any, **changes: Any) -> str:
    return model_card(Material({}, summary, audit(**changes), {}, {}, {}))


def test_what_it_must_say(summary: Any) -> None:
    text = " ".join(card(summary | {"label_noise": None}).split())
    assert "article 5(1)(f)" in text
    assert "400 of PrivateTest's faces (11.1 %)" in text
    assert "Neutral has 106 faces of Training, anger 100." in text
    assert "## Licence MIT" in text
    assert "le_deep" not in text
    assert "FER+" not in text


def test_its_numbers_are_the_summarys(summary: Any) -> None:
    entry = summary["systems"]["cs231n"]
    text = card(summary)
    row = next(line for line in text.splitlines() if line.startswith("| cs231n | random |"))
    private = entry["PrivateTest"]
    assert f"| {100 * private['accuracy']:.1f} ± {100 * private['accuracy_std']:.1f} |" in row
    assert f"| {100 * private['accuracy_low']:.1f} to {100 * private['accuracy_high']:.1f} |" in row
    assert f"| {entry['calibration']['temperature']:.2f} |" in text
    assert " ".join(confusions(entry).split()) in " ".join(text.split())


def test_every_system_has_its_classes_whatever_the_data(summary: Any) -> None:
    for entry in summary["systems"].values():
        entry["reported"] = None
    table = card(summary, rows=1200).split("Per class")[1].split("##")[0]
    assert [line.split(" | ")[0] for line in table.splitlines()[4:-1]] == [
        "| a<script>alert(1)<",
        "| cs231n",
        "| ensemble",
    ]


def test_failures_in_words() -> None:
    entry = {
        "confusions": {"fear_as_sad": 0.23, "disgust_as_anger": 0.279, "sad_as_fear": 0.1, "anger_as_sad": 0.05},
        "leaks": {
            "clean": {"accuracy": 0.59},
            "near_duplicates": {"accuracy": None},
            "exact_copies": {"accuracy": 0.87},
        },
    }
    assert confusions(entry) == "28 % of disgust is named anger, 23 % of fear is named sad, 10 % of sad is named fear"
    assert leaked(entry) == "right on 87 % of the faces that also stand in Training, 59 % of the others"


@pytest.mark.parametrize(
    ("faces", "words"), [(821, "63.3 % of the faces (90.0 % of the 821 on which"), (0, "63.3 % of the faces, and")]
)
def test_label_noise_stands_there_with_votes(summary: Any, faces: int, words: str) -> None:
    levels = {"10": {"faces": faces, "agreement": 0.9 if faces else None}}
    noise = {"agreement": 0.633, "one_annotator": 0.556, "ceiling": 0.786, "by_votes": levels}
    text = " ".join(card(summary | {"label_noise": {"PrivateTest": noise}}).split())
    assert f"the label is the majority's answer for {words}" in text


def test_a_line_ends_before_its_margin_and_not_before_a_per_cent_sign() -> None:
    text = paragraph("word " * 23 + "12 % of faces " + "word " * 30)
    assert max(map(len, text.splitlines())) <= 120
    assert not any(line.startswith("%") for line in text.splitlines())
    assert " ".join(text.split()) == ("word " * 23 + "12 % of faces " + "word " * 30).strip()
