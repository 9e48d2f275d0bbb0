"""How noisy the labels are: FER2013's against ten votes a face (FER+, fer/data/votes.py), and networks against either.

The crowd's choice is the plurality of all ten answers, a tie going to FER2013's order of emotions and then to contempt,
unknown and NF. FER2013's label agrees with the crowd where it is that choice; a face that the crowd calls contempt,
unknown or no face agrees with no label. On PrivateTest of the real data that is 63.3 % of the faces. Networks are
measured against the crowd on the faces whose choice is one of the seven emotions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.data.votes import Votes, VotesError
from fer.emotions import Emotion, Split
from fer.evaluation.intervals import spread
from fer.evaluation.predictions import TEST_SPLITS, Predictions

EMOTIONS = len(Emotion)
LEAST_AGREEMENT = 0.35  # chance is 0.2; FER2013's is 0.63
LEVELS = {"4_or_fewer": (0, 4), **{str(votes): (votes, votes) for votes in range(5, 11)}}  # votes for the choice


@dataclass(frozen=True)
class Crowd:
    """The votes on one split's faces."""

    counts: NDArray[np.uint8]  # (N, 10) in fer.data.votes.ORDER
    labels: NDArray[np.uint8]  # (N,) FER2013's

    @property
    def choice(self) -> NDArray[np.int64]:
        """The plurality, (N,): an Emotion integer, or 7 contempt, 8 unknown, 9 NF."""
        return np.asarray(self.counts.argmax(axis=1))

    @property
    def is_emotion(self) -> NDArray[np.bool_]:
        return np.asarray(self.choice < EMOTIONS)

    def levels(self) -> dict[str, NDArray[np.bool_]]:
        """By how many voters made the choice, the faces whose choice is an emotion, (N,)."""
        most = self.counts.max(axis=1)  # (N,)
        return {name: self.is_emotion & (most >= low) & (most <= high) for name, (low, high) in LEVELS.items()}


def crowds_of(votes: Votes | None, splits: Mapping[Split, Predictions]) -> dict[Split, Crowd] | None:
    """The votes on both test splits' faces. Raises VotesError where they are not those of these faces."""
    if votes is None:
        return None
    return {split: crowd_of(votes, splits[split], split) for split in TEST_SPLITS}


def crowd_of(votes: Votes, predictions: Predictions, split: Split) -> Crowd:
    rows = predictions.rows
    if rows.max(initial=-1) >= len(votes.usages) or (votes.usages[rows] != split.value).any():
        raise VotesError(f"the votes do not belong to this CSV: its {split.value} rows are not theirs")
    crowd = Crowd(votes.counts[rows], predictions.labels)
    agreement = (crowd.choice == crowd.labels).mean()
    if agreement < LEAST_AGREEMENT:
        raise VotesError(
            f"the votes are not in this CSV's order: they agree with {100 * agreement:.0f} % of {split.value}'s labels"
        )
    return crowd


def label_noise(crowd: Crowd) -> dict[str, Any]:
    """What the votes say about a split's labels.

    `agreement`: the share of faces whose label is the crowd's choice: how often a network would be right that answered
    as the crowd does.
    `by_votes`: the same by how many voters made the choice, of the faces whose choice is an emotion.
    `one_voter`: how often one voter, drawn at random, gives the label.
    `ceiling`: if labels were drawn as the crowd votes, no answer could be right more often than the largest
    probability, on average over faces (Bayes' rule; Devroye, Györfi and Lugosi, "A probabilistic theory of pattern
    recognition", 1996, theorem 2.1). The probabilities are the shares of the votes for the seven emotions; faces
    without one are left out. It is an estimate from ten votes, which are too few not to flatter it, and FER2013's
    labels were made in another way: a network that learns their habits may see more in a face than voters do.
    """
    emotions = crowd.counts[:, :EMOTIONS].astype(np.float64)  # (N, 7)
    given, total = emotions.sum(axis=1), crowd.counts.sum(axis=1)  # (N,), (N,)
    of_label = np.take_along_axis(emotions, crowd.labels[:, None].astype(np.int64), axis=1)[:, 0]  # (N,)
    return {
        "faces": len(crowd.labels),
        "faces_with_emotion": int(crowd.is_emotion.sum()),
        "agreement": float((crowd.choice == crowd.labels).mean()),
        "one_voter": float((of_label / np.maximum(total, 1)).mean()),
        "ceiling": float((emotions.max(axis=1)[given > 0] / given[given > 0]).mean()),
        "by_votes": {
            name: {
                "faces": int(of.sum()),
                "agreement": float((crowd.choice == crowd.labels)[of].mean()) if of.any() else None,
            }
            for name, of in crowd.levels().items()
        },
    }


def measure_against_crowd(predictions: Predictions, crowd: Crowd) -> dict[str, Any]:
    """One seed on one split: its accuracy by FER2013's label and by the crowd's choice, also by how many made it.

    All of it on the faces whose choice is an emotion; `by_votes` has None where a level has no such face.
    """
    right = {
        "accuracy_label": predictions.predicted == crowd.labels,
        "accuracy_crowd": predictions.predicted == crowd.choice,
    }
    known = crowd.is_emotion

    def on(faces: NDArray[np.bool_]) -> dict[str, float | None]:
        return {name: float(of[faces].mean()) if faces.any() else None for name, of in right.items()}

    levels = {name: {"faces": int(of.sum()), **on(of)} for name, of in crowd.levels().items()}
    return {"faces": int(known.sum()), **on(known), "by_votes": levels}


def summarise_against_crowd(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over seeds of what `measure_against_crowd` gives, and the deviation of the two accuracies."""
    result: dict[str, Any] = {"faces": measured[0]["faces"]}
    for name in ("accuracy_label", "accuracy_crowd"):
        mean, std = spread([run[name] for run in measured])
        result |= {name: mean, f"{name}_std": std}
    levels = {}
    for level, first in measured[0]["by_votes"].items():
        means = {
            name: spread([run["by_votes"][level][name] for run in measured]).mean if first["faces"] else None
            for name in ("accuracy_label", "accuracy_crowd")
        }
        levels[level] = {"faces": first["faces"], **means}
    return result | {"by_votes": levels}
