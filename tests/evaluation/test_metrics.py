"""Every metric against plain loops, or scikit-learn where ours is not, on random logits and toys with known answers."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from fer.constants import EMOTION_NAMES, Emotion, Split
from fer.evaluation.metrics import TEST_SETS, class_scores, confusion, measure, scores
from fer.predictions.format import Predictions


def predictions(
    faces: int = 200, seed: int = 0, *, skill: float = 1.0, leaked: int = 20, near: int = 30
) -> Predictions:
    """Random logits that lean towards the label by `skill`."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 7, faces).astype(np.uint8)
    logits = generator.normal(size=(faces, 7)).astype(np.float32)
    logits[np.arange(faces), labels] += skill
    return Predictions(logits, labels, np.arange(faces), np.arange(faces) < leaked, np.arange(faces) < near)


def both(**changes: Any) -> dict[Split, Predictions]:
    return {Split.public_test: predictions(seed=1, **changes), Split.private_test: predictions(seed=2, **changes)}


def by_hand(of: Predictions, emotion: int) -> tuple[float, float, float, int, int]:
    """Precision, recall and F1 of one class, the faces that have it, and those that are given it."""
    hits = faces = named = 0
    for label, answer in zip(of.labels, of.predicted, strict=True):
        hits += label == answer == emotion
        faces += label == emotion
        named += answer == emotion
    precision, recall = hits / named if named else 0.0, hits / faces if faces else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0, faces, named


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(20, 200), st.floats(0, 3))
def test_scores_are_plain_loops_and_scikit_learns(seed: int, faces: int, skill: float) -> None:
    drawn = predictions(faces, seed, skill=skill)
    measured = scores(drawn)
    assert measured["accuracy"] == pytest.approx(sk.accuracy_score(drawn.labels, drawn.predicted))
    loops = [by_hand(drawn, emotion) for emotion in range(7)]
    occurring = [f1 for _, _, f1, faces, named in loops if faces or named]
    assert measured["macro_f1"] == pytest.approx(sum(occurring) / len(occurring))
    labelled = [recall for _, recall, _, faces, _ in loops if faces]
    assert measured["balanced_accuracy"] == pytest.approx(sum(labelled) / len(labelled))
    assert measured["top2_accuracy"] == pytest.approx(
        sk.top_k_accuracy_score(drawn.labels, drawn.logits, k=2, labels=range(7))
    )
    assert measured["log_loss"] == pytest.approx(
        sk.log_loss(drawn.labels, drawn.probabilities, labels=range(7)), rel=1e-6
    )


@pytest.mark.parametrize("faces", [8, 400])
def test_class_scores_are_those_of_a_loop(faces: int) -> None:
    """With 8 faces some classes occur among labels, answers or neither."""
    drawn = predictions(faces, 5)
    for emotion, (name, own) in enumerate(class_scores(confusion(drawn)).items()):
        assert name == EMOTION_NAMES[emotion]
        expected = by_hand(drawn, emotion)[:4]
        assert [own["precision"], own["recall"], own["f1"], own["support"]] == pytest.approx(expected)
        assert own["accuracy"] == own["recall"]


def test_confusion_has_the_actual_class_in_its_row() -> None:
    logits, no = np.zeros((1, 7), np.float32), np.array([False])
    logits[0, 4] = 1.0
    counts = confusion(Predictions(logits, np.array([2], np.uint8), np.array([0]), no, no))
    assert counts[2, 4] == counts.sum() == 1


def test_the_leak_free_set_leaves_the_leaked_faces_out() -> None:
    measured = measure(both(), resamples=100, bootstrap_seed=0)
    assert list(measured) == list(TEST_SETS)
    assert measured["PrivateTest"]["faces"] == 200
    assert measured["PrivateTest_leak_free"]["faces"] == 180
    assert measured["PrivateTest_no_near_duplicates"]["faces"] == 170
    private = both()[Split.private_test]
    right = private.predicted == private.labels
    assert measured["PrivateTest_leak_free"]["accuracy"] == pytest.approx(right[20:].mean())
    assert measured["PrivateTest_no_near_duplicates"]["accuracy"] == pytest.approx(right[30:].mean())


def test_disgust_taken_for_anger_is_right_when_they_count_as_one() -> None:
    labels = np.array([Emotion.disgust, Emotion.anger, Emotion.disgust, Emotion.happy], np.uint8)
    named = [Emotion.anger, Emotion.disgust, Emotion.disgust, Emotion.anger]
    no = np.zeros(4, np.bool_)
    measured = scores(Predictions(np.eye(7, dtype=np.float32)[named], labels, np.arange(4), no, no))
    assert measured["accuracy"] == 0.25
    assert measured["merged_accuracy"] == 0.75


def test_intervals_hold_the_accuracy_and_the_content_is_json() -> None:
    for entry in measure(both(), resamples=500, bootstrap_seed=0).values():
        assert entry["accuracy_low"] < entry["accuracy"] < entry["accuracy_high"]
    json.dumps(measure(both(), resamples=10, bootstrap_seed=0), allow_nan=False)


def test_logits_that_are_not_finite_are_an_error() -> None:
    broken = both()
    broken[Split.public_test].logits[3, 1] = np.nan
    with pytest.raises(ValueError, match="PublicTest: the logits are not finite"):
        measure(broken, resamples=10, bootstrap_seed=0)


def test_a_perfect_network() -> None:
    measured = scores(predictions(skill=100.0))
    assert measured["accuracy"] == measured["macro_f1"] == measured["balanced_accuracy"] == 1.0
    assert measured["log_loss"] == pytest.approx(0.0, abs=1e-9)
