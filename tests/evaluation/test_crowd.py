"""Label noise on toys with known answers, and the published agreement on the real votes."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fer.data.votes import Votes, VotesError, read_votes
from fer.emotions import Split
from fer.evaluation.crowd import (
    Crowd,
    crowd_of,
    crowds_of,
    label_noise,
    measure_against_crowd,
    summarise_against_crowd,
)
from fer.evaluation.predictions import Predictions
from tests.evaluation.test_metrics import both, predictions

SHARED = Path(__file__).parents[3] / "shared" / "data"
ANGER, DISGUST, FEAR, HAPPY = range(4)


def votes(*ballots: dict[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A row a face; a ballot maps answers to counts."""
    counts = np.zeros((len(ballots), 10), np.uint8)
    for row, ballot in enumerate(ballots):
        for answer, count in ballot.items():
            counts[row, answer] = count
    return counts


# Unanimous and right; split, the label is the choice; a tie that goes to anger; contempt wins; not a face.
BALLOTS = votes({3: 10}, {0: 6, 1: 4}, {0: 5, 2: 5}, {0: 4, 7: 6}, {9: 10})
LABELS = np.array([HAPPY, ANGER, FEAR, ANGER, HAPPY], np.uint8)
CROWD = Crowd(BALLOTS, LABELS)


def answers(*named: int) -> Predictions:
    no = np.zeros(len(named), np.bool_)
    return Predictions(np.eye(7, dtype=np.float32)[list(named)], LABELS, np.arange(len(named)), no, no)


def test_the_choice_is_the_plurality_of_all_ten_answers() -> None:
    assert CROWD.choice.tolist() == [HAPPY, ANGER, ANGER, 7, 9]
    assert CROWD.is_emotion.tolist() == [True, True, True, False, False]


def test_noise_of_a_toy() -> None:
    noise = label_noise(CROWD)
    assert noise["faces"] == 5
    assert noise["faces_with_emotion"] == 3
    assert noise["agreement"] == pytest.approx(2 / 5)
    assert noise["one_voter"] == pytest.approx((1.0 + 0.6 + 0.5 + 0.4 + 0.0) / 5)
    assert noise["ceiling"] == pytest.approx((1.0 + 0.6 + 0.5 + 1.0) / 4)  # the last one has no vote for an emotion
    assert noise["by_votes"]["10"] == {"faces": 1, "agreement": 1.0}  # the other one is no face
    assert noise["by_votes"]["7"] == {"faces": 0, "agreement": None}


def test_no_answer_beats_the_ceiling_on_labels_that_the_crowd_draws() -> None:
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.full(7, 0.4), size=4000)  # (N, 7)
    counts = np.zeros((4000, 10), np.uint8)
    counts[:, :7] = np.round(200 * shares)
    labels = np.array([generator.choice(7, p=share) for share in shares], np.uint8)
    noise = label_noise(Crowd(counts, labels))
    best = (shares.argmax(axis=1) == labels).mean()
    assert noise["ceiling"] == pytest.approx(best, abs=0.02)


def test_a_network_against_either() -> None:
    measured = measure_against_crowd(answers(HAPPY, DISGUST, ANGER, ANGER, HAPPY), CROWD)
    assert measured["faces"] == 3
    assert measured["accuracy_label"] == pytest.approx(1 / 3)
    assert measured["accuracy_crowd"] == pytest.approx(2 / 3)
    assert measured["by_votes"]["10"] == {"faces": 1, "accuracy_label": 1.0, "accuracy_crowd": 1.0}
    assert measured["by_votes"]["5"] == {"faces": 1, "accuracy_label": 0.0, "accuracy_crowd": 1.0}
    assert measured["by_votes"]["8"] == {"faces": 0, "accuracy_label": None, "accuracy_crowd": None}


def test_seeds_are_averaged() -> None:
    runs = [answers(HAPPY, DISGUST, ANGER, ANGER, HAPPY), answers(HAPPY, ANGER, ANGER, ANGER, HAPPY)]
    summary = summarise_against_crowd([measure_against_crowd(run, CROWD) for run in runs])
    assert summary["accuracy_crowd"] == pytest.approx((2 / 3 + 1) / 2)
    assert summary["accuracy_crowd_std"] == pytest.approx((1 / 3) / 2**0.5)
    assert summary["by_votes"]["6"]["accuracy_label"] == pytest.approx(0.5)
    assert summary["by_votes"]["8"]["accuracy_label"] is None


def test_votes_are_found_by_the_faces_rows() -> None:
    splits = both()
    private = splits[Split.private_test]
    counts = np.zeros((300, 10), np.uint8)
    counts[np.arange(200), private.labels] = 10
    usages = np.array(["PrivateTest"] * 200 + ["PublicTest"] * 100)
    np.testing.assert_array_equal(crowd_of(Votes(usages, counts), private, Split.private_test).choice, private.labels)
    assert crowds_of(None, splits) is None


def test_votes_of_another_file_are_an_error() -> None:
    of = predictions()
    right = np.zeros((200, 10), np.uint8)
    right[np.arange(200), of.labels] = 10
    usages = np.array(["PrivateTest"] * 200)
    with pytest.raises(VotesError, match="do not belong to this CSV"):
        crowd_of(Votes(usages[:100], right[:100]), of, Split.private_test)
    with pytest.raises(VotesError, match="do not belong to this CSV"):
        crowd_of(Votes(usages, right), of, Split.public_test)
    with pytest.raises(VotesError, match="not in this CSV's order"):
        crowd_of(Votes(usages, right[np.random.default_rng(0).permutation(200)]), of, Split.private_test)


@pytest.mark.skipif(not (SHARED / "ferplus_votes.csv").exists(), reason="FER+'s votes are not at hand")
def test_the_published_agreement_on_private_test() -> None:
    real = read_votes(SHARED / "ferplus_votes.csv")
    assert real is not None
    with (SHARED / "fer2013_labels.csv").open(newline="") as file:
        labels = np.array([int(row["emotion"]) for row in csv.DictReader(file)], np.uint8)
    private = real.usages == "PrivateTest"
    noise = label_noise(Crowd(real.counts[private], labels[private]))
    assert noise["faces"] == 3589
    assert round(noise["agreement"], 3) == 0.633
