"""MODEL_CARD.md: what it says is in the metrics, and it warns of what must not be done."""

import json
from pathlib import Path
from typing import Any

import pytest

from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.model_card import confusions, leaked, model_card, paragraph
from fer.evaluation.summary import describe, summarise
from fer.files import rounded
from tests.evaluation.test_metrics import predictions
from tests.evaluation.test_summary import run

ROOT = Path(__file__).parents[2]
AUDIT: dict[str, Any] = {
    "rows": 35887,
    "kept": {"Training": 28698, "PublicTest": 3588, "PrivateTest": 4000},
    "class_counts": {"Training": {name: 100 + place for place, name in enumerate(EMOTION_NAMES)}},
    "rejected": {"constant_image": 12},
    "audit": {
        "redundant_images": 1840,
        "conflicting_groups": 56,
        "in_training": {"PublicTest": 279, "PrivateTest": 288},
    },
    "near_duplicates": {
        "correlation": 0.95,
        "PublicTest": {"faces": 376, "mirrored": 1},
        "PrivateTest": {"faces": 400, "mirrored": 3},
    },
}


def summary() -> Any:
    seeds = {
        seed: {Split.public_test: predictions(seed=1), Split.private_test: predictions(seed=2, skill=2.0 + seed)}
        for seed in (0, 1)
    }
    content = summarise(
        {"trained": seeds}, reported={"absent": None}, described={"trained": describe([run(0, 0.5)])}, votes=None,
        provenances={}, pairs=[], resamples=100, bootstrap_seed=0,
    )  # fmt: skip
    return json.loads(json.dumps(rounded(content)))


def test_what_it_must_say() -> None:
    card = model_card(summary(), AUDIT)
    text = " ".join(card.split())
    assert "article 5(1)(f)" in text
    assert "400 of PrivateTest's faces (10.0 %)" in text
    assert "Neutral has 106 faces of Training, anger 100." in text
    assert "## Licence MIT" in text
    assert "absent" not in text
    assert "FER+" not in text


def test_its_numbers_are_the_summarys() -> None:
    content = summary()
    entry = content["systems"]["trained"]
    card = model_card(content, AUDIT)
    row = next(line for line in card.splitlines() if line.startswith("| trained | ImageNet |"))
    private = entry["PrivateTest"]
    assert f"| {100 * private['accuracy']:.1f} ± {100 * private['accuracy_std']:.1f} |" in row
    assert f"| {100 * private['accuracy_low']:.1f} to {100 * private['accuracy_high']:.1f} |" in row
    assert f"| {entry['calibration']['temperature']:.2f} |" in card
    assert " ".join(confusions(entry).split()) in " ".join(card.split())


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


def test_label_noise_stands_there_with_votes() -> None:
    content = summary()
    content["label_noise"] = {
        "PrivateTest": {
            "agreement": 0.633,
            "one_voter": 0.556,
            "ceiling": 0.786,
            "by_votes": {"10": {"faces": 821, "agreement": 0.9}},
        }
    }
    text = " ".join(model_card(content, AUDIT).split())
    assert (
        "most frequent answer for 63.3 % of the faces (90.0 % of the 821 on which all ten agree on an emotion)" in text
    )


def test_a_line_ends_before_its_margin_and_not_before_a_per_cent_sign() -> None:
    text = paragraph("word " * 23 + "12 % of faces " + "word " * 30)
    assert max(map(len, text.splitlines())) <= 120
    assert not any(line.startswith("%") for line in text.splitlines())
    assert " ".join(text.split()) == ("word " * 23 + "12 % of faces " + "word " * 30).strip()


def test_the_committed_card_is_the_metrics() -> None:
    metrics = ROOT / "metrics" / "fer2013"
    content = json.loads((metrics / "summary.json").read_text()) if (metrics / "summary.json").exists() else {}
    if "label_noise" not in content:
        pytest.skip("the committed summary is from before the card")
    card = model_card(content, json.loads((metrics / "data.json").read_text()))
    assert (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8") == card
