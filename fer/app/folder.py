"""A folder with one sub-folder for each emotion: how well a model names the faces in it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fer.app.photos import pictures_below
from fer.app.predict import Result
from fer.data.sources import EMOTION_FOLDERS
from fer.emotions import EMOTION_NAMES, Emotion
from fer.errors import UserError
from fer.evaluation.intervals import mean_interval
from fer.evaluation.metrics import class_scores, confusion, is_correct, scores
from fer.evaluation.predictions import Predictions

RESAMPLES, SEED = 2000, 0  # of the bootstrap behind the interval of accuracy
SPELLINGS = (
    EMOTION_FOLDERS
    | {emotion.name[:2]: emotion for emotion in Emotion}  # JAFFE's, of which "su" and "sa" differ
    | {
        "ang": Emotion.anger, "dis": Emotion.disgust, "disgusting": Emotion.disgust, "fea": Emotion.fear,
        "afraid": Emotion.fear, "scared": Emotion.fear, "hap": Emotion.happy, "joy": Emotion.happy,
        "unhappy": Emotion.sad, "sur": Emotion.surprise, "suprise": Emotion.surprise, "neu": Emotion.neutral,
        "normal": Emotion.neutral,
    }
)  # fmt: skip


def emotion_of(name: str) -> Emotion | None:
    """`anger`, `Angry`, `0`, `0_angry`, `03 Happiness`, ...: the emotion, or None. A word goes before its number."""
    word = re.sub(r"[\W\d_]+", "", name).lower()
    if word:
        return SPELLINGS.get(word)
    return Emotion(int(name)) if name.isascii() and name.isdecimal() and int(name) < len(Emotion) else None


def labelled_pictures(folder: Path) -> tuple[dict[str, Emotion], list[str]]:
    """Each picture below a sub-folder that is called like an emotion, and the sub-folders that are not.

    Raises UserError where there is none, or where numbers cannot be FER2013's 0 to 6.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    known = {path: emotion for path in inside if (emotion := emotion_of(path.name)) is not None}
    others = [path.name for path in inside if path not in known]
    if any(name.isdecimal() for name in others):
        order = ", ".join(f"{emotion.value} {emotion.name}" for emotion in Emotion)
        raise UserError(f"{folder}: numbers as names of folders are FER2013's: {order}\nrename {', '.join(others)}")
    labels = {name: emotion for path, emotion in known.items() for name in pictures_below(path)}
    if not labels:
        raise UserError(
            f"{folder}: no picture in a sub-folder named after an emotion\n"
            f"expected {', '.join(EMOTION_NAMES)} or a usual spelling; found {', '.join(others) or 'none'}"
        )
    return labels, others


def evaluate(results: Iterable[Result], labels: Mapping[str, Emotion]) -> dict[str, Any]:
    """Of each picture's largest face; what has none or cannot be read is counted apart.

    Returns what `--json` prints: `faces`, `accuracy` with its 95 % bootstrap interval, the other scores of
    fer/evaluation/metrics.py, `classes` by emotion, `confusion` (actual by predicted), `no_face` and `failed`.
    Raises UserError where no face is left.
    """
    probabilities, truth, no_face, failed = [], [], [], {}
    for result in results:
        if result.error:
            failed[result.file] = str(result.error)
        elif not result.faces:
            no_face.append(result.file)
        else:
            probabilities.append(result.faces[0].probabilities)
            truth.append(labels[result.file])
    if not truth:
        raise UserError(f"no face to evaluate: {len(failed)} pictures failed, {len(no_face)} without a face")
    count = len(truth)
    predictions = Predictions(
        logits=np.log(np.clip(np.stack(probabilities), 1e-12, 1)),
        labels=np.asarray(truth, np.uint8),
        rows=np.arange(count),
        in_training=np.zeros(count, np.bool_),
        near_duplicate=np.zeros(count, np.bool_),
    )
    interval = mean_interval(is_correct(predictions), resamples=RESAMPLES, seed=SEED)
    counts = confusion(predictions)
    return {
        **scores(predictions),
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "classes": class_scores(counts),
        "confusion": counts.tolist(),
        "no_face": no_face,
        "failed": failed,
    }


def show(found: Mapping[str, Any], console: Console) -> None:
    """The numbers for people: a sentence, the table per class, the confusion matrix."""
    console.print(
        f"accuracy {100 * found['accuracy']:.1f} % of {found['faces']} faces "
        f"(95 % interval {100 * found['accuracy_low']:.1f} to {100 * found['accuracy_high']:.1f}), "
        f"macro F1 {100 * found['macro_f1']:.1f}, balanced accuracy {100 * found['balanced_accuracy']:.1f}"
    )
    console.print(class_table(found))
    console.print(confusion_table(found))
    if found["no_face"]:
        console.print(f"in {len(found['no_face'])} pictures no face was found; --faces takes pictures as they are")


def plain_table(title: str, first: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def class_table(found: Mapping[str, Any]) -> Table:
    table = plain_table("\nper class, per cent", "emotion", ("recall", "precision", "F1", "faces"))
    for name, row in found["classes"].items():
        shares = (f"{100 * row[metric]:.1f}" for metric in ("recall", "precision", "f1"))
        table.add_row(name, *shares, str(row["support"]))
    return table


def confusion_table(found: Mapping[str, Any]) -> Table:
    table = plain_table("\nfaces, actual by predicted", "actual", EMOTION_NAMES)
    for actual, row in enumerate(found["confusion"]):
        cells = (f"[bold]{count}[/bold]" if actual == column else str(count) for column, count in enumerate(row))
        table.add_row(EMOTION_NAMES[actual], *cells)
    return table
