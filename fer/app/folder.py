"""A folder with one sub-folder for each emotion: how well a model names the faces in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from fer.app.photos import pictures_below
from fer.app.predict import Result
from fer.constants import EMOTION_NAMES, Emotion
from fer.data.names import EMOTIONS, emotion_of, is_clutter
from fer.errors import UserError
from fer.evaluation.metrics import class_scores, confusion, is_correct, scores
from fer.predictions.format import Predictions

ORDER = {emotion.value: emotion for emotion in Emotion}  # FER2013's
SEEN = {"Training_": "the network has learned them", "PublicTest_": "the network was chosen on them"}


@dataclass
class Labelled:
    """The pictures of a folder, and what there is to say of them."""

    labels: dict[str, Emotion] = field(default_factory=dict)  # by file
    left_out: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # a line each


def parse_labels(text: str) -> dict[int, Emotion]:
    """Return the order of `1=surprise,2=fear,...`. Raise UserError."""
    order = {}
    for part in text.split(","):
        number, _, name = (piece.strip() for piece in part.partition("="))
        if not number.isdecimal() or name.lower() not in EMOTIONS:
            raise UserError(f"--labels {part}: expected NUMBER=EMOTION, with one of {', '.join(EMOTION_NAMES)}")
        if int(number) in order:
            raise UserError(f"--labels {text}: {number} stands there twice")
        order[int(number)] = EMOTIONS[name.lower()]
    return order


def label_of(name: str, order: Mapping[int, Emotion]) -> Emotion | None:
    """Return the emotion that a sub-folder's name says, a number by `order`."""
    return order.get(int(name)) if name.isascii() and name.isdecimal() else emotion_of(name)


def labelled_pictures(folder: Path, order: Mapping[int, Emotion] = ORDER) -> Labelled:
    """Return each picture below a sub-folder that is called like an emotion.

    Raise UserError where there is none, or where a number is not in `order`.
    """
    if not folder.is_dir():
        raise UserError(f"{folder.absolute()}: {'not a' if folder.exists() else 'no such'} folder")
    inside = sorted(path for path in folder.iterdir() if not is_clutter(path.name))
    emotions = {path: label for path in inside if path.is_dir() and (label := label_of(path.name, order)) is not None}
    others = [path for path in inside if path not in emotions]
    numbers = [path.name for path in inside if path.is_dir() and path.name.isdecimal()]
    require_known(folder, [name for name in numbers if int(name) not in order], order)
    found = Labelled()
    for path, label in emotions.items():
        pictures, left_out = pictures_below(path)
        found.labels |= dict.fromkeys(pictures, label)
        found.left_out += left_out
    if not found.labels:
        refuse(folder, [path for path in others if path.is_dir()], order)
    numbered = [f"numbers are taken as {spelled(order)}"] if numbers else []
    found.notes = [*notes_on_others(others), *numbered, *notes_on_names(found.labels)]
    return found


def require_known(folder: Path, unknown: list[str], order: Mapping[int, Emotion]) -> None:
    if unknown:
        raise UserError(
            f"{folder}: folders {', '.join(unknown)}: no such number; {'FER2013 has' if order is ORDER else 'known:'} "
            f"{spelled(order)}\nother datasets number otherwise: --labels 1=surprise,2=fear,... says how"
        )


def refuse(folder: Path, others: list[Path], order: Mapping[int, Emotion]) -> None:
    """Raise UserError for a folder without an emotion; it names those one level lower, a test set first."""
    lower = [
        one for one in others if any(label_of(path.name, order) is not None for path in one.iterdir() if path.is_dir())
    ]
    if lower:
        lower.sort(key=lambda path: ("test" not in path.name.lower(), path.name))
        raise UserError(f"{folder}: the emotions lie one level lower: evaluate-folder {' or '.join(map(str, lower))}")
    names = ", ".join(path.name for path in others) or "none"
    raise UserError(
        f"{folder}: no picture in a sub-folder named after an emotion\n"
        f"expected {', '.join(EMOTION_NAMES)} or a usual spelling; found {names}"
    )


def spelled(order: Mapping[int, Emotion]) -> str:
    return ", ".join(f"{number} {emotion.name}" for number, emotion in sorted(order.items()))


def notes_on_others(others: list[Path]) -> list[str]:
    """Return what is left out because it lies in no emotion's folder."""
    loose = sum(path.is_file() for path in others)
    notes = [f"{path}: not called like one of the seven emotions; left out" for path in others if path.is_dir()]
    return [*notes, *([f"left out: {loose:,} files that lie in no emotion's folder"] if loose else [])]


def notes_on_names(files: Iterable[str]) -> list[str]:
    """Return what is to say of files that are called as FER2013's images are."""
    names = [Path(file).name for file in files]
    counts = {prefix: sum(name.startswith(prefix) for name in names) for prefix in SEEN}
    return [f"{count:,} files are called {prefix}...: {SEEN[prefix]}" for prefix, count in counts.items() if count]


def evaluate(results: Iterable[Result], labels: Mapping[str, Emotion]) -> dict[str, Any]:
    """Measure each picture's largest face; what has none or cannot be read is counted apart.

    Return what `--json` prints: `faces`, `accuracy` with its 95 % interval (Wilson), the other scores of
    fer/evaluation/metrics.py, `classes` by emotion, `confusion` (actual by predicted), `no_face` and `failed`.
    Raise UserError where no face is left.
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
    interval = binomtest(int(is_correct(predictions).sum()), count).proportion_ci(method="wilson")
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


def show(found: Mapping[str, Any]) -> None:
    """Print the numbers for people: a sentence, the table per class, the confusion matrix."""
    console = Console()
    console.print(
        f"accuracy {100 * found['accuracy']:.1f} % of {found['faces']} faces "
        f"(95 % interval {100 * found['accuracy_low']:.1f} to {100 * found['accuracy_high']:.1f}), "
        f"macro F1 {100 * found['macro_f1']:.1f}, balanced accuracy {100 * found['balanced_accuracy']:.1f}",
        soft_wrap=True,
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
        known = row["support"] > 0  # else there is nothing to be right about
        shares = (f"{100 * row[metric]:.1f}" if known else "–" for metric in ("recall", "precision", "f1"))
        table.add_row(name, *shares, str(row["support"]))
    return table


def confusion_table(found: Mapping[str, Any]) -> Table:
    table = plain_table("\nfaces, actual by predicted", "actual", EMOTION_NAMES)
    for actual, row in enumerate(found["confusion"]):
        cells = (f"[bold]{count}[/bold]" if actual == column else str(count) for column, count in enumerate(row))
        table.add_row(EMOTION_NAMES[actual], *cells)
    return table
