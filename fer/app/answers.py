"""Predictions as people have them: a CSV with a header or without, .npy, .safetensors, by their first bytes."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from fer.constants import EMOTION_NAMES, TEST_SPLITS, Emotion
from fer.data.kinds import head_of, refusal
from fer.data.names import EMOTIONS, emotion_in, emotion_of, word_of
from fer.errors import UserError
from fer.evaluation.score import Answers

CLASSES = len(EMOTION_NAMES)
SHOWN = 4  # names in an error
ROW = ("row", "rows")
INDEX = ("", "unnamed: 0", "index")  # what pandas writes before the first column
LABEL = ("label", "prediction", "predicted", "pred", "answer")
EXPECTED = f"expected seven columns ({', '.join(EMOTION_NAMES)}) or one with labels, and perhaps a column `row`"


def read_answers(path: Path) -> Answers:
    """Return what a file says. Raise UserError, which names the file and the first cell that is wrong."""
    if not path.is_file():
        raise UserError(f"{path.absolute()}: {'a folder; expected a file' if path.is_dir() else 'no such file'}")
    head = head_of(path)
    if head.startswith(b"\x93NUMPY"):
        return read_npy(path)
    if head[5:9] == b"\0\0\0{":  # the header's length, eight bytes, then JSON
        return read_safetensors(path)
    if said := refusal(path, head):
        raise UserError(f"{path}: {said}")
    return read_csv(path)


def read_npy(path: Path) -> Answers:
    try:
        return Answers(values_of(path, np.load(path, allow_pickle=False)))
    except UserError:
        raise
    except (ValueError, EOFError, OSError) as error:
        told = "Python objects, which are never loaded: save numbers or text" if "pickle" in str(error) else error
        raise UserError(f"{path}: {told}") from None


def read_safetensors(path: Path) -> Answers:
    """Read this project's own files, or one tensor under any name, with or without `row`."""
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except (SafetensorError, TypeError, AttributeError) as error:  # numpy has no bfloat16
        raise UserError(f"{path}: {error}") from None
    ours = [f"{split}.logits" for split in TEST_SPLITS]
    if tensors.keys() >= set(ours):
        rows = [tensors[name] for split in TEST_SPLITS if (name := f"{split}.rows") in tensors]
        together = np.concatenate([each.ravel() for each in rows]) if len(rows) == len(ours) else None
        logits = [tensors[name] for name in ours]
        if any(each.shape[1:] != (CLASSES,) for each in logits):
            shapes = " and ".join(str(each.shape) for each in logits)
            raise UserError(f"{path}: {' and '.join(ours)} of shape {shapes}; expected (N, {CLASSES})")
        return answers_of(path, np.concatenate(logits), together)
    named = next((tensors.pop(name) for name in ROW if name in tensors), None)
    if len(tensors) != 1:
        names = ", ".join([*sorted(tensors)[:SHOWN], *["..."] * (len(tensors) > SHOWN)])
        raise UserError(f"{path}: tensors {names or 'none'}; expected one, and perhaps `row`")
    return answers_of(path, next(iter(tensors.values())), named)


def answers_of(path: Path, values: NDArray[Any], rows: NDArray[Any] | None) -> Answers:
    if not values.size:
        raise UserError(f"{path}: no answers in it")
    if rows is not None and (rows.shape != values.shape[:1] or rows.dtype.kind not in "iu"):
        raise UserError(
            f"{path}: rows of shape {rows.shape} and type {rows.dtype}; expected an integer for each answer"
        )
    return Answers(values_of(path, values), None if rows is None else rows.astype(np.int64))


def values_of(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Return (N, 7) float64 or (N,) labels."""
    if array.ndim == 2 and array.shape[1] == CLASSES and array.dtype.kind in "fiub":
        return array.astype(np.float64)
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        return labels_of(path, [str(value) for value in array.ravel().tolist()])
    raise UserError(f"{path}: {array.dtype} of shape {array.shape}; expected numbers (N, {CLASSES}) or labels (N,)")


def labels_of(path: Path, cells: Sequence[str]) -> NDArray[np.int64]:
    """Return the integers of labels that are names or integers, (N,)."""
    known = {cell: label_of(cell) for cell in set(cells)}
    for number, cell in enumerate(cells):
        if known[cell] is None:
            raise UserError(
                f"{path}: answer {number} is {cell!r}: expected 0 to {CLASSES - 1} or one of {', '.join(EMOTION_NAMES)}"
            )
    return np.array([known[cell] for cell in cells], np.int64)


def label_of(cell: str) -> Emotion | None:
    whole = re.fullmatch(r"\s*([0-6])(\.0*)?\s*", cell)
    return Emotion(int(whole[1])) if whole else EMOTIONS.get(word_of(cell))


def read_csv(path: Path) -> Answers:
    header, rows = table_of(path)
    columns = list(zip(*rows, strict=True))
    if header is None:
        if len(columns) not in (1, CLASSES):
            raise UserError(f"{path}: {len(columns)} columns without a header; {EXPECTED}")
        return Answers(numbers(path, columns) if len(columns) == CLASSES else labels_of(path, columns[0]))
    if repeated := [name for name, count in Counter(header).items() if count > 1]:
        raise UserError(f"{path}: several columns are called {repeated[0]!r}")
    by_name = dict(zip(header, columns, strict=True))
    row = next((by_name.pop(name) for name in ROW if name in by_name), None)
    places = None if row is None else whole_numbers(path, row)
    others = [name for name in by_name if name not in INDEX]
    if len(others) > 1 and (emotions := emotion_columns(path, others)):
        return Answers(numbers(path, [by_name[emotions[emotion]] for emotion in Emotion]), places)
    labels = others if len(others) == 1 else [name for name in others if name in LABEL]
    if len(labels) != 1:
        raise UserError(f"{path}: columns {', '.join(header)}; {EXPECTED}")
    return Answers(labels_of(path, by_name[labels[0]]), places)


def table_of(path: Path) -> tuple[list[str] | None, list[list[str]]]:
    """Return the header, in lower case, where there is one, and the other rows, all of one length."""
    try:
        lines = path.read_text(encoding="utf-8-sig").lstrip("# \n").splitlines()  # numpy.savetxt's header
    except UnicodeDecodeError:
        raise UserError(f"{path}: no CSV in UTF-8, no .npy and no .safetensors") from None
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((mark for mark in ";\t," if mark in first), " ")  # a blank: numpy.savetxt
    try:
        table = [row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if any(row)]
    except csv.Error as error:  # a quotation mark that is never closed
        raise UserError(f"{path}: no CSV ({error})") from None
    if not table:
        raise UserError(f"{path}: empty")
    if "\0" in first:
        raise UserError(f"{path}: no CSV, no .npy and no .safetensors")
    header = [cell.strip().lower() for cell in table[0]] if is_header(table[0]) else None
    for number, row in enumerate(table):
        if len(row) != len(table[0]):
            raise UserError(f"{path}: row {number} of the table has {len(row)} cells, the first one {len(table[0])}")
    rows = table[1:] if header else table
    if not rows:
        raise UserError(f"{path}: a header and no answers")
    return header, rows


def is_header(cells: Sequence[str]) -> bool:
    """Whether the first row is one: no cell is a number, or they are the numbers that pandas gives to columns."""
    if len(cells) == 1:
        return label_of(cells[0]) is None and not is_number(cells[0])
    named = [cell for cell in cells if cell and cell.lower() not in ROW]
    counted = named == [str(number) for number in range(len(named))]
    return not any(map(is_number, named)) or (counted and (len(named) < len(cells) or len(named) == CLASSES))


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def emotion_columns(path: Path, names: Sequence[str]) -> dict[Emotion, str]:
    """Return each emotion's column; nothing where no column is called like one. Raise UserError for some of them."""
    found: dict[Emotion, str] = {}
    for name in names:
        emotion = emotion_of(name) if emotion_of(name) is not None else emotion_in(name)
        if emotion is not None:
            if emotion in found:
                raise UserError(f"{path}: columns {found[emotion]} and {name} are both {emotion.name}")
            found[emotion] = name
    if found and len(found) < CLASSES:
        missing = ", ".join(emotion.name for emotion in Emotion if emotion not in found)
        raise UserError(f"{path}: columns {', '.join(names)}: none for {missing}")
    return found


def numbers(path: Path, columns: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Return columns of numbers as (N, columns); an empty cell is not a number."""
    try:
        return np.array(columns, dtype=np.float64).T
    except ValueError:
        cells = ((number, cell) for number, row in enumerate(zip(*columns, strict=True)) for cell in row)
        number, cell = next((number, cell) for number, cell in cells if not is_number(cell))
        raise UserError(f"{path}: answer {number} has {cell!r}: expected a number") from None


def whole_numbers(path: Path, cells: Sequence[str]) -> NDArray[np.int64]:
    values = numbers(path, [cells])[:, 0]
    wrong = ~np.isfinite(values) | (values != np.floor(values))
    if wrong.any():
        raise UserError(f"{path}: row {cells[wrong.argmax()]!r}: expected a whole number")
    return values.astype(np.int64)
