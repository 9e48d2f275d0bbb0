"""Label noise on toys with known answers, and the published agreement on the real votes."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer.constants import Emotion, Split
from fer.evaluation.agreement import (
    Annotations,
    annotations_of,
    label_noise,
    measure_against,
    measure_agreement,
    summarise,
    write_agreement,
)
from fer.ferplus import HEADER, OF_EMOTION, Votes, VotesError, read_votes
from fer.predictions.format import Predictions, PredictionsError, write_predictions
from tests.evaluation.test_metrics import both, predictions

SHARED = Path(__file__).parents[3] / "shared" / "data"
ANGER, DISGUST, FEAR, HAPPY = range(4)
ONE_HOT = 9 * np.eye(7, dtype=np.float32)


def votes(*ballots: dict[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A row a face; a ballot maps answers to counts."""
    counts = np.zeros((len(ballots), 10), np.uint8)
    for row, ballot in enumerate(ballots):
        for answer, count in ballot.items():
            counts[row, answer] = count
    return counts


# Unanimous and right; split, the label is the majority's; a tie that goes to anger; contempt wins; not a face.
BALLOTS = votes({3: 10}, {0: 6, 1: 4}, {0: 5, 2: 5}, {0: 4, 7: 6}, {9: 10})
LABELS = np.array([HAPPY, ANGER, FEAR, ANGER, HAPPY], np.uint8)
ANNOTATIONS = Annotations(BALLOTS, LABELS)


def answers(*named: int) -> Predictions:
    no = np.zeros(len(named), np.bool_)
    return Predictions(np.eye(7, dtype=np.float32)[list(named)], LABELS, np.arange(len(named)), no, no)


def test_the_majority_label_is_the_plurality_of_all_ten_answers() -> None:
    assert ANNOTATIONS.majority.tolist() == [HAPPY, ANGER, ANGER, 7, 9]
    assert ANNOTATIONS.is_emotion.tolist() == [True, True, True, False, False]


def test_noise_of_a_toy() -> None:
    noise = label_noise(ANNOTATIONS)
    assert noise["faces"] == 5
    assert noise["faces_with_emotion"] == 3
    assert noise["agreement"] == pytest.approx(2 / 5)
    assert noise["one_annotator"] == pytest.approx((1.0 + 0.6 + 0.5 + 0.4 + 0.0) / 5)
    assert noise["ceiling"] == pytest.approx((1.0 + 0.6 + 0.5 + 1.0) / 4)  # the last one has no vote for an emotion
    assert noise["by_votes"]["10"] == {"faces": 1, "agreement": 1.0}  # the other one is no face
    assert noise["by_votes"]["7"] == {"faces": 0, "agreement": None}


def test_no_answer_beats_the_ceiling_on_labels_drawn_as_the_annotators_vote() -> None:
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.full(7, 0.4), size=4000)  # (N, 7)
    counts = np.zeros((4000, 10), np.uint8)
    counts[:, :7] = np.round(200 * shares)
    labels = np.array([generator.choice(7, p=share) for share in shares], np.uint8)
    noise = label_noise(Annotations(counts, labels))
    best = (shares.argmax(axis=1) == labels).mean()
    assert noise["ceiling"] == pytest.approx(best, abs=0.02)


def test_a_network_against_either() -> None:
    measured = measure_against(answers(HAPPY, DISGUST, ANGER, ANGER, HAPPY), ANNOTATIONS)
    assert measured["faces"] == 3
    assert measured["accuracy_label"] == pytest.approx(1 / 3)
    assert measured["accuracy_majority"] == pytest.approx(2 / 3)
    assert measured["by_votes"]["10"] == {"faces": 1, "accuracy_label": 1.0, "accuracy_majority": 1.0}
    assert measured["by_votes"]["5"] == {"faces": 1, "accuracy_label": 0.0, "accuracy_majority": 1.0}
    assert measured["by_votes"]["8"] == {"faces": 0, "accuracy_label": None, "accuracy_majority": None}


def test_seeds_are_averaged() -> None:
    runs = [answers(HAPPY, DISGUST, ANGER, ANGER, HAPPY), answers(HAPPY, ANGER, ANGER, ANGER, HAPPY)]
    summary = summarise([measure_against(run, ANNOTATIONS) for run in runs])
    assert summary["accuracy_majority"] == pytest.approx((2 / 3 + 1) / 2)
    assert summary["accuracy_majority_std"] == pytest.approx((1 / 3) / 2**0.5)
    assert summary["by_votes"]["6"]["accuracy_label"] == pytest.approx(0.5)
    assert summary["by_votes"]["8"]["accuracy_label"] is None


def test_votes_are_found_by_the_faces_rows() -> None:
    splits = both()
    private = splits[Split.private_test]
    counts = np.zeros((300, 10), np.uint8)
    counts[np.arange(200), private.labels] = 10
    usages = np.array(["PrivateTest"] * 200 + ["PublicTest"] * 100)
    np.testing.assert_array_equal(
        annotations_of(Votes(usages, counts), private, Split.private_test).majority, private.labels
    )


def test_votes_of_another_file_are_an_error() -> None:
    of = predictions()
    right = np.zeros((200, 10), np.uint8)
    right[np.arange(200), of.labels] = 10
    usages = np.array(["PrivateTest"] * 200)
    with pytest.raises(VotesError, match="do not belong to this CSV"):
        annotations_of(Votes(usages[:100], right[:100]), of, Split.private_test)
    with pytest.raises(VotesError, match="do not belong to this CSV"):
        annotations_of(Votes(usages, right), of, Split.public_test)
    with pytest.raises(VotesError, match="not in this CSV's order"):
        annotations_of(Votes(usages, right[np.random.default_rng(0).permutation(200)]), of, Split.private_test)


def write_votes(path: Path, usages: list[str], labels: NDArray[np.uint8]) -> None:
    """Every annotator gives the label."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for usage, label in zip(usages, labels.tolist(), strict=True):
            writer.writerow([usage, "", *(10 * (choice == OF_EMOTION[Emotion(label)]) for choice in HEADER[2:])])


def write_library(folder: Path) -> list[Predictions]:
    """Two systems, one with two seeds, whose PrivateTest starts at row 200."""
    splits = both()
    splits[Split.private_test] = replace(splits[Split.private_test], rows=200 + np.arange(200))
    better = {split: replace(of, logits=of.logits + ONE_HOT[of.labels]) for split, of in splits.items()}
    for name, run in {"a/0": splits, "a/1": better, "b/0": better}.items():
        write_predictions(folder / f"{name}.safetensors", run, {})
    return list(splits.values())


def test_every_system_is_measured(tmp_path: Path) -> None:
    public, private = write_library(tmp_path / "predictions")
    labels = np.concatenate([public.labels, private.labels])
    write_votes(tmp_path / "votes.csv", ["PublicTest"] * 200 + ["PrivateTest"] * 200, labels)
    write_agreement(
        sorted((tmp_path / "predictions").iterdir()), tmp_path / "votes.csv", tmp_path / "a.json", tmp_path / "plots"
    )
    content = json.loads((tmp_path / "a.json").read_text())
    assert list(content["labels"]) == ["PrivateTest", "PublicTest"]
    assert content["labels"]["PrivateTest"]["agreement"] == 1.0
    accuracy = float((private.predicted == private.labels).mean())
    assert content["systems"]["a"]["accuracy_label"] == pytest.approx((1 + accuracy) / 2, abs=1e-6)
    assert content["systems"]["b"]["accuracy_majority"] == 1.0
    assert (tmp_path / "plots" / "agreement.csv").read_text().splitlines()[2] == "b,10,1.000000,200"
    assert shades(tmp_path / "plots" / "agreement.png") > 20


def shades(path: Path) -> int:
    with Image.open(path) as picture:
        return len(np.unique(np.asarray(picture.convert("L"))))


def test_without_votes_nothing_is_measured_and_every_file_is_there(tmp_path: Path) -> None:
    write_library(tmp_path / "predictions")
    write_votes(tmp_path / "votes.csv", [], np.zeros(0, np.uint8))
    write_agreement(
        sorted((tmp_path / "predictions").iterdir()), tmp_path / "votes.csv", tmp_path / "a.json", tmp_path / "plots"
    )
    assert json.loads((tmp_path / "a.json").read_text()) == {}
    assert (tmp_path / "plots" / "agreement.csv").read_text() == "system,votes,accuracy,faces\n"
    assert shades(tmp_path / "plots" / "agreement.png") > 5


def test_a_seed_that_saw_other_faces_is_an_error(tmp_path: Path) -> None:
    write_library(tmp_path)
    votes = Votes(np.array(["PublicTest"] * 200 + ["Training"] * 200), np.ones((400, 10), np.uint8))
    with pytest.raises(VotesError, match=r"do not belong to this CSV|not in this CSV's order"):
        measure_agreement(sorted(tmp_path.iterdir()), votes)


@pytest.mark.skipif(not (SHARED / "ferplus_votes.csv").exists(), reason="FER+'s votes are not at hand")
def test_the_published_agreement_on_private_test() -> None:
    real = read_votes(SHARED / "ferplus_votes.csv")
    assert real is not None
    with (SHARED / "fer2013_labels.csv").open(newline="") as file:
        labels = np.array([int(row["emotion"]) for row in csv.DictReader(file)], np.uint8)
    private = real.usages == "PrivateTest"
    noise = label_noise(Annotations(real.counts[private], labels[private]))
    assert noise["faces"] == 3589
    assert round(noise["agreement"], 3) == 0.633


def test_without_systems_there_is_nothing_to_measure() -> None:
    with pytest.raises(PredictionsError, match="no system has predictions"):
        measure_agreement([], Votes(np.array(["PublicTest"]), np.ones((1, 10), np.uint8)))
