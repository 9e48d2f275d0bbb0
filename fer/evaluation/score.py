"""Anybody's predictions under this project's protocol: set beside our faces, measured as our own networks are.

The labels, rows and flags of the faces come from predictions that git keeps, so neither images nor a GPU are needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES, TEST_SPLITS, Emotion, Split
from fer.errors import UserError
from fer.evaluation.evaluate import measure_seed
from fer.evaluation.metrics import CLASSES, TEST_SETS, confusion
from fer.evaluation.paired import Seeds, compare
from fer.predictions.format import Predictions, Splits

CHANCE = 1 / CLASSES
GAIN = 0.1  # of accuracy by another order of the labels, over what is there and over one answer for all, for a hint
LEAST = 1e-12  # a probability of 0 counts as this, so that the log loss is finite
SUMS = (1.0, 100.0)  # of a face's probabilities; 5 % off is rounding
OF_PROBABILITIES = ("top2_accuracy", "log_loss")  # mean nothing where only the label is known


class Kind(StrEnum):
    labels = "labels"
    probabilities = "probabilities"
    logits = "logits"


@dataclass(frozen=True)
class Answers:
    """What a file says: FER2013's order of labels, and the data rows of the CSV, from 0, where the file has them."""

    values: NDArray[Any]  # (N, 7) probabilities or logits, or (N,) labels
    rows: NDArray[np.int64] | None = None  # (N,)

    @property
    def kind(self) -> Kind:
        """What the values are. One-hot rows are labels: such a network's confidence is not known."""
        if self.values.ndim == 1 or np.array_equal(self.values, np.eye(CLASSES)[self.values.argmax(axis=1)]):
            return Kind.labels
        sums = self.values.sum(axis=1)
        adds_up = any(np.allclose(sums, total, atol=0.05 * total, rtol=0) for total in SUMS)
        return Kind.probabilities if adds_up and (self.values >= 0).all() else Kind.logits


def align(answers: Answers, faces: Splits) -> tuple[dict[Split, Predictions], Kind]:
    """Return the answers beside the labels and flags of `faces`, and their kind; those for other rows are left out.

    Raise UserError for a wrong number of answers, a row that is missing or stands twice, and values that are not
    finite.
    """
    rows = rows_of(answers, faces)
    chosen = {split: answers.values[places(rows, faces[split].rows)] for split in TEST_SPLITS}
    for split, values in chosen.items():
        wrong = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if wrong.any():
            row = faces[split].rows[wrong.argmax()]
            raise UserError(f"row {row} ({split}): not finite; {wrong.sum():,} faces of {split} have such values")
    kind = Answers(np.concatenate([*chosen.values()])).kind  # of what is used
    return {split: replace(faces[split], logits=logits_of(values, kind)) for split, values in chosen.items()}, kind


def rows_of(answers: Answers, faces: Splits) -> NDArray[np.int64]:
    """Return the CSV's data row of each answer, (N,). Raise UserError."""
    if answers.rows is None:
        known = orders(faces)
        if len(answers.values) not in known:
            said = ", ".join(f"{length:,} ({words})" for length, (words, _) in sorted(known.items(), reverse=True))
            raise UserError(
                f"{len(answers.values):,} answers; expected {said},\n"
                "or a column `row`, the CSV's data row counted from 0, in any order"
            )
        return known[len(answers.values)][1]
    rows, counts = np.unique(answers.rows, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"row {rows[counts.argmax()]} has {counts.max()} answers; one is needed")
    last = max(int(faces[split].rows.max()) for split in TEST_SPLITS)
    if rows[0] == 1 and rows[-1] > last:
        raise UserError(f"rows are counted from 0: the last one is {last}, not {rows[-1]}")
    return answers.rows


def orders(faces: Splits) -> dict[int, tuple[str, NDArray[np.int64]]]:
    """Return what a file without rows may hold, by its number of answers: in words, and the rows, (N,)."""
    kept = np.concatenate([faces[split].rows for split in TEST_SPLITS])
    first, end = int(kept.min()), int(kept.max()) + 1
    return {
        end: ("every row of the CSV", np.arange(end)),
        end - first: ("the two test splits, PublicTest first", np.arange(first, end)),
        len(kept): ("these without blank pictures", kept),
    }


def places(rows: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each wanted row stands among `rows`, (M,). Raise UserError for those that do not."""
    order = np.argsort(rows)
    found = order[np.minimum(np.searchsorted(rows[order], wanted), len(rows) - 1)]
    missing = wanted[rows[found] != wanted]
    if missing.size:
        raise UserError(
            f"row {missing[0]} is missing, and {missing.size - 1:,} more of the {wanted.size:,} test faces; "
            "rows are the CSV's data rows, from 0"
        )
    return found


def logits_of(values: NDArray[Any], kind: Kind) -> NDArray[np.float32]:
    """Return logits with the same answers, (N, 7), the largest 0: near it float32 tells the closest ones apart."""
    if kind is Kind.labels and values.ndim == 1:
        values = np.eye(CLASSES)[values.astype(np.int64)]
    largest = values.max(axis=1, keepdims=True)
    if kind is Kind.probabilities:
        return np.asarray(np.log(np.maximum(values / largest, LEAST)), np.float32)
    return np.asarray(values - largest, np.float32)


def measure_answers(splits: Splits, kind: Kind, bootstrap: Mapping[str, int]) -> dict[str, Any]:
    """Return what `metrics/{system}/{seed}.json` has; of labels alone, nothing that needs probabilities.

    Args:
        bootstrap: `resamples` and `seed` of the 95 % intervals over faces.
    """
    measured = measure_seed(splits, resamples=bootstrap["resamples"], bootstrap_seed=bootstrap["seed"])
    if kind is Kind.labels:
        del measured["calibration"]
        for test_set in TEST_SETS:
            for metric in OF_PROBABILITIES:
                del measured[test_set][metric]
    return measured


def compare_answers(
    name: str, splits: Splits, systems: Mapping[str, Seeds], bootstrap: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Return, per system, the paired tests of these answers against each of its seeds. Raise UserError."""
    try:
        return {
            system: compare((name, system), (dict.fromkeys(seeds, splits), seeds), bootstrap)
            for system, seeds in systems.items()
        }
    except ValueError as error:  # two folders of predictions that do not belong together
        raise UserError(str(error)) from None


def label_order_hint(public: Predictions) -> str | None:
    """Return a line where the answers look like those of another order, of labels or faces, on PublicTest alone."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - a second

    counts = confusion(public)
    always = counts.sum(axis=1).max() / counts.sum()  # the accuracy of the most frequent label alone
    happy = counts[Emotion.happy, Emotion.happy] / max(counts[Emotion.happy].sum(), 1)
    labels, answers = linear_sum_assignment(counts, maximize=True)
    accuracy, best = np.trace(counts) / counts.sum(), counts[labels, answers].sum() / counts.sum()
    line = f"happy is named right on {happy:.1%} of its PublicTest faces, all on {accuracy:.1%}"
    if best >= max(accuracy, always) + GAIN:
        order = ", ".join(EMOTION_NAMES[label] for label in np.argsort(answers))
        return f"another label order? {line}; if the order were {order}, it would be {best:.1%}"
    if happy < CHANCE or accuracy <= always:
        return f"another order of labels or of faces? {line}; FER2013's labels are {', '.join(EMOTION_NAMES)}"
    return None
