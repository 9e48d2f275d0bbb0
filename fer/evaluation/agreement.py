"""How noisy the labels are: FER2013's against FER+'s ten annotators a face (fer/ferplus.py), and networks against both.

The majority label is the plurality of all ten answers, a tie going to FER2013's order of emotions and then to contempt,
unknown and NF. FER2013's label agrees where it is that answer; a face that the majority calls contempt, unknown or no
face agrees with no label. On PrivateTest of the real data 63.3 % of the faces agree. Networks are measured on the faces
whose majority label is one of the seven emotions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import TEST_SPLITS, Emotion, Split
from fer.evaluation.intervals import over_seeds, spread
from fer.ferplus import LEAST_AGREEMENT, Votes, VotesError, read_votes
from fer.files import write_csv, write_json
from fer.plotting import drawing
from fer.predictions.format import Predictions, PredictionsError, Splits, read_seeds

EMOTIONS = len(Emotion)
LEVELS = {"4_or_fewer": (0, 4)} | {str(votes): (votes, votes) for votes in range(5, 11)}  # for the majority label
ACCURACIES = ("accuracy_label", "accuracy_majority")
NO_VOTES = "No FER+ votes in data/source"


@dataclass(frozen=True)
class Annotations:
    """The annotators' votes on one split's faces, beside FER2013's labels."""

    counts: NDArray[np.uint8]  # (N, 10) in fer.ferplus.ORDER
    labels: NDArray[np.uint8]  # (N,) FER2013's

    @property
    def majority(self) -> NDArray[np.int64]:
        """The plurality, (N,): an Emotion integer, or 7 contempt, 8 unknown, 9 NF."""
        return np.asarray(self.counts.argmax(axis=1))

    @property
    def is_emotion(self) -> NDArray[np.bool_]:
        return np.asarray(self.majority < EMOTIONS)

    def levels(self) -> dict[str, NDArray[np.bool_]]:
        """By how many annotators gave the majority label, the faces for which it is an emotion, (N,)."""
        most = self.counts.max(axis=1)  # (N,)
        return {name: self.is_emotion & (most >= low) & (most <= high) for name, (low, high) in LEVELS.items()}


def write_agreement(systems: Sequence[Path], votes: Path, metrics: Path, plots: Path) -> None:
    """Measure every system, a folder of predictions each, and the labels, against the votes.

    Without votes the metrics are `{}` and the table is empty.

    Raises:
        PredictionsError: no system has predictions.
        VotesError: the votes are not those of these faces.
    """
    content = measure_agreement(systems, read_votes(votes))
    write_json(metrics, content)
    write_table(plots / "agreement.csv", content)
    draw(content, plots / "agreement.png")


def measure_agreement(folders: Sequence[Path], votes: Votes | None) -> dict[str, Any]:
    """Return `labels`, per test split, and `systems`, means over seeds on PrivateTest; nothing without votes."""
    if votes is None:
        return {}
    if not folders:
        raise PredictionsError("run.systems: no system has predictions to measure")
    systems = {path.name: list(read_seeds(path)[0].values()) for path in folders}
    first = next(iter(systems.values()))[0]
    return {
        "labels": {split.value: label_noise(annotations_of(votes, first[split], split)) for split in TEST_SPLITS},
        "systems": {name: summarise([measure_seed(run, votes) for run in runs]) for name, runs in systems.items()},
    }


def measure_seed(run: Splits, votes: Votes) -> dict[str, Any]:
    private = run[Split.private_test]
    return measure_against(private, annotations_of(votes, private, Split.private_test))


def annotations_of(votes: Votes, predictions: Predictions, split: Split) -> Annotations:
    """Return the votes on one split's faces, by their rows. Raise VotesError where they are another file's."""
    rows = predictions.rows
    if rows.max(initial=-1) >= len(votes.usages) or (votes.usages[rows] != split.value).any():
        raise VotesError(f"the votes do not belong to this CSV: its {split.value} rows are not theirs")
    annotations = Annotations(votes.counts[rows], predictions.labels)
    agreement = (annotations.majority == annotations.labels).mean()
    if agreement < LEAST_AGREEMENT:
        raise VotesError(
            f"the votes are not in this CSV's order: they agree with {100 * agreement:.0f} % of {split.value}'s labels"
        )
    return annotations


def label_noise(annotations: Annotations) -> dict[str, Any]:
    """Return what the votes say about a split's labels.

    `agreement`: the share of faces whose label is the majority label: the accuracy of a network that answers as the
    majority does.
    `by_votes`: the same by how many annotators gave the majority label, of the faces for which it is an emotion.
    `one_annotator`: how often one annotator, drawn at random, gives FER2013's label.
    `ceiling`: if labels were drawn as the annotators vote, no answer could be right more often than the largest
    probability, on average over faces (Bayes' rule; Devroye, Györfi and Lugosi, "A probabilistic theory of pattern
    recognition", 1996, theorem 2.1). The probabilities are the shares of the votes for the seven emotions; faces
    without one are left out. It is an estimate from ten votes, which are too few not to flatter it, and FER2013's
    labels were made in another way: a network that learns their habits may see more in a face than annotators do.
    """
    emotions = annotations.counts[:, :EMOTIONS].astype(np.float64)  # (N, 7)
    given, total = emotions.sum(axis=1), annotations.counts.sum(axis=1)  # (N,), (N,)
    of_label = np.take_along_axis(emotions, annotations.labels[:, None].astype(np.int64), axis=1)[:, 0]  # (N,)
    agrees = annotations.majority == annotations.labels  # (N,)
    return {
        "faces": len(annotations.labels),
        "faces_with_emotion": int(annotations.is_emotion.sum()),
        "agreement": float(agrees.mean()),
        "one_annotator": float((of_label / np.maximum(total, 1)).mean()),
        "ceiling": float((emotions.max(axis=1)[given > 0] / given[given > 0]).mean()),
        "by_votes": {
            name: {"faces": int(of.sum()), "agreement": share(agrees, of)} for name, of in annotations.levels().items()
        },
    }


def measure_against(predictions: Predictions, annotations: Annotations) -> dict[str, Any]:
    """Return one seed's accuracy by FER2013's label and by the majority label, also by how many annotators gave that.

    All of it on the faces whose majority label is an emotion; `by_votes` has None where a level has no such face.
    """
    by_label = predictions.predicted == annotations.labels
    by_majority = predictions.predicted == annotations.majority

    def on(faces: NDArray[np.bool_]) -> dict[str, Any]:
        return {
            "faces": int(faces.sum()),
            "accuracy_label": share(by_label, faces),
            "accuracy_majority": share(by_majority, faces),
        }

    return on(annotations.is_emotion) | {"by_votes": {name: on(of) for name, of in annotations.levels().items()}}


def share(right: NDArray[np.bool_], faces: NDArray[np.bool_]) -> float | None:
    return float(right[faces].mean()) if faces.any() else None


def summarise(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean over seeds of what `measure_against` gives, and the deviation of the two accuracies."""
    levels = {
        level: {"faces": first["faces"]}
        | {
            name: spread([run["by_votes"][level][name] for run in measured]).mean if first["faces"] else None
            for name in ACCURACIES
        }
        for level, first in measured[0]["by_votes"].items()
    }
    return {"faces": measured[0]["faces"], **over_seeds(measured, ACCURACIES), "by_votes": levels}


def write_table(path: Path, content: Mapping[str, Any]) -> None:
    """Write a row for each system and number of annotators that gave the majority label; template agreement."""
    rows = [
        (system, level.replace("_", " "), f"{scores['accuracy_label']:.6f}", scores["faces"])
        for system, entry in content.get("systems", {}).items()
        for level, scores in entry["by_votes"].items()
        if scores["faces"]
    ]
    write_csv(path, ("system", "votes", "accuracy", "faces"), rows)


def draw(content: Mapping[str, Any], path: Path) -> None:
    """Draw accuracy by how many annotators gave the majority label; last, how often that is FER2013's label."""
    if not content:
        with drawing(path, size=(8.2, 1.2)) as (_, axis):
            axis.set_axis_off()
            axis.text(0.5, 0.5, NO_VOTES, ha="center", va="center")
        return
    noise = content["labels"][Split.private_test]["by_votes"]
    rows = [[of["accuracy_label"] for of in entry["by_votes"].values()] for entry in content["systems"].values()]
    rows.append([of["agreement"] for of in noise.values()])
    shares = 100 * np.array(rows, np.float64)  # (S + 1, levels); nan without faces
    with drawing(path, size=(8.2, 1.7 + 0.36 * len(rows))) as (_, axis):
        axis.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=110, aspect="auto")
        for (row, column), value in np.ndenumerate(shares):
            text = "–" if np.isnan(value) else f"{value:.0f}"
            axis.text(column, row, text, ha="center", va="center", color="white" if value > 73 else "#222222")
        axis.axhline(len(rows) - 1.5, color="white", linewidth=4)
        axis.set_xticks(
            range(len(noise)), [f"{level.replace('_', ' ')}\n({of['faces']:,})" for level, of in noise.items()]
        )
        axis.set_yticks(range(len(rows)), [*content["systems"], "majority label"])
        axis.set(
            title="Per cent with FER2013's label, PrivateTest",
            xlabel="annotators of ten who gave the majority label (faces)",
        )
        axis.tick_params(length=0)
        axis.grid(False)
        axis.spines[:].set_visible(False)
