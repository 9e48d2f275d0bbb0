"""What one trained network scores on the test faces: most of metrics/{system}/{seed}.json.

Numbers are fractions (0 to 1) and plain Python; log loss is in nats. The definitions are scikit-learn's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import EMOTION_NAMES, Emotion, Split
from fer.evaluation.intervals import mean_interval
from fer.predictions.format import Predictions, PredictionsError

CLASSES = len(EMOTION_NAMES)
LEAK_FREE = "PrivateTest_leak_free"
NO_NEAR_DUPLICATES = "PrivateTest_no_near_duplicates"
TEST_SETS = (Split.public_test.value, Split.private_test.value, LEAK_FREE, NO_NEAR_DUPLICATES)
MERGED = {Emotion.disgust: Emotion.anger}  # report 002 proposes to count the two as one

# Report 000, table 1: how often people name the posed emotion of a photograph in a psychological study.
HUMAN_CLASS_ACCURACY = dict(zip(EMOTION_NAMES, (0.889, 0.923, 0.877, 0.987, 0.892, 0.924, 0.916), strict=True))
# Report 000: its own authors, labelling faces of FER2013.
HUMAN_FER2013_ACCURACY = 0.634


def measure(splits: Mapping[Split, Predictions], *, resamples: int, bootstrap_seed: int) -> dict[str, Any]:
    """Return every metric of one seed on each of TEST_SETS: PrivateTest is measured with and without leaked faces.

    Args:
        splits: the logits and labels of both test splits.
        resamples: bootstrap resamples behind each 95 % interval of accuracy.
        bootstrap_seed: seed of the resampling.

    Raises:
        PredictionsError: a test set has no faces, or a logit is not finite.
    """
    result = {}
    for name, predictions in by_test_set(splits).items():
        interval = mean_interval(is_correct(predictions), resamples=resamples, seed=bootstrap_seed)
        result[name] = {
            **scores(predictions),
            "accuracy_low": interval.low,
            "accuracy_high": interval.high,
            "classes": class_scores(confusion(predictions)),
        }
    return result


def by_test_set(splits: Mapping[Split, Predictions]) -> dict[str, Predictions]:
    """Return the sets of faces that every number is given on.

    Raise PredictionsError where one is empty or not finite.
    """
    private = splits[Split.private_test]
    chosen = (splits[Split.public_test], private, private.leak_free(), private.without_near_duplicates())
    sets = dict(zip(TEST_SETS, chosen, strict=True))
    for name, predictions in sets.items():
        if len(predictions.labels) == 0:
            raise PredictionsError(f"{name} has no faces")
        if not np.isfinite(predictions.logits).all():
            raise PredictionsError(f"{name}: the logits are not finite")
    return sets


def scores(predictions: Predictions) -> dict[str, Any]:
    """Return the numbers that sum up one test set.

    Macro F1 is the mean over the classes that occur among labels or answers, balanced accuracy the mean recall over
    the classes that occur among labels; an undefined precision counts as 0.
    """
    from sklearn.metrics import f1_score, recall_score  # noqa: PLC0415 - seconds, where many import this for less

    labels, named = predictions.labels, predictions.predicted
    balanced = recall_score(labels, named, labels=np.unique(labels), average="macro", zero_division=0)
    return {
        "faces": len(labels),
        "accuracy": float(is_correct(predictions).mean()),
        "macro_f1": float(f1_score(labels, named, average="macro", zero_division=0)),
        "balanced_accuracy": float(balanced),
        "top2_accuracy": top_k_accuracy(predictions, k=2),
        "merged_accuracy": merged_accuracy(predictions),
        "log_loss": log_loss(predictions),
    }


def class_scores(counts: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Return the scores of each emotion, by name; an undefined ratio is 0.

    A class's `accuracy` is the share of its faces that were named right, as the reports print it: its recall.

    Args:
        counts: faces, (7, 7), actual by predicted.
    """
    from sklearn.metrics import precision_recall_fscore_support  # noqa: PLC0415 - as above

    actual, named = np.indices(counts.shape).reshape(2, -1)  # (49,), (49,)
    columns = precision_recall_fscore_support(
        actual, named, labels=range(CLASSES), sample_weight=counts.ravel(), zero_division=0
    )
    return {
        name: {
            "accuracy": float(recall),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "support": int(support),
        }
        for name, precision, recall, f1, support in zip(EMOTION_NAMES, *columns, strict=True)
    }


def confusion(*runs: Predictions) -> NDArray[np.int64]:
    """Return how many faces of each actual class (row) were given each predicted one (column), of all runs, (7, 7)."""
    cells = np.concatenate([run.labels.astype(np.int64) * CLASSES + run.predicted for run in runs])  # (faces,)
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES).astype(np.int64)  # (7, 7)


def is_correct(predictions: Predictions) -> NDArray[np.bool_]:
    """Return whether the largest logit is the label's, (N,)."""
    return np.asarray(predictions.predicted == predictions.labels)


def correctness(runs: Sequence[Predictions]) -> NDArray[np.bool_]:
    """Return which faces each run names right, (seeds, N)."""
    return np.stack([is_correct(run) for run in runs])


def top_k_accuracy(predictions: Predictions, k: int) -> float:
    """Return how often the label is among the k largest logits; of equal ones the lower class counts first."""
    ranked = np.argsort(-predictions.logits, axis=1, kind="stable")[:, :k]  # (N, k)
    return float((ranked == predictions.labels[:, None]).any(axis=1).mean())


def merged_accuracy(predictions: Predictions) -> float:
    """Return the accuracy when disgust and anger count as one class: answers are merged, not probabilities."""
    merge = np.array([MERGED.get(emotion, emotion) for emotion in Emotion])  # (7,)
    return float((merge[predictions.predicted] == merge[predictions.labels]).mean())


def log_loss(predictions: Predictions) -> float:
    """Return the mean negative log probability of the label, in nats; from the logits, so that it is finite."""
    logits = predictions.logits.astype(np.float64)  # (N, 7)
    shifted = logits - logits.max(axis=1, keepdims=True)  # (N, 7)
    of_label = np.take_along_axis(shifted, predictions.labels[:, None].astype(np.int64), axis=1)[:, 0]  # (N,)
    return float((np.log(np.exp(shifted).sum(axis=1)) - of_label).mean())
