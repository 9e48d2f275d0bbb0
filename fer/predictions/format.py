"""What a trained network says of every test face: predicted once, kept in git, measured many times.

A file a seed, data/predictions/{system}/{seed}.safetensors, with `PublicTest.logits` float16 (N, 7), `.labels` uint8,
`.rows` int32, `.in_training` and `.near_duplicate` bool, (N,) each, and the same for PrivateTest; 21 bytes a face. Its
one metadata key, `provenance`, is JSON. The run's history lies beside it as {seed}.csv.

Half precision is fine near 0 and coarse far from it, so each face's largest logit is subtracted first: the answer and
its close runners-up keep their differences, and softmax does not notice the shift.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fer.constants import TEST_SPLITS, Split
from fer.errors import UserError
from fer.files import atomic_write, by_seed


class PredictionsError(UserError):
    """A file that does not hold predictions, or logits that cannot be kept."""


@dataclass(frozen=True)
class Predictions:
    """One split's logits beside the labels, in the CSV's order."""

    logits: NDArray[np.float32]  # (N, 7)
    labels: NDArray[np.uint8]  # (N,)
    rows: NDArray[np.int64]  # (N,)
    in_training: NDArray[np.bool_]  # (N,) the same pixels stand in Training
    near_duplicate: NDArray[np.bool_]  # (N,) nearly the same do, or their mirror image; exact copies too

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the largest logit, (N,); of equal ones the first."""
        return np.asarray(self.logits.argmax(axis=1))

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, (N, 7)."""
        shifted = np.exp(self.logits.astype(np.float64) - self.logits.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))  # (N, 7)

    def leak_free(self) -> "Predictions":
        """Leave out the faces that also stand in Training byte for byte."""
        return self.chosen(~self.in_training)

    def without_near_duplicates(self) -> "Predictions":
        """Leave out those too that nearly stand there (fer/data/near_duplicates.py)."""
        return self.chosen(~(self.in_training | self.near_duplicate))

    def chosen(self, kept: NDArray[np.bool_]) -> "Predictions":
        """Return some of the faces, (N,)."""
        return Predictions(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})


Splits = Mapping[Split, Predictions]


def write_predictions(path: Path, splits: Splits, provenance: Mapping[str, Any]) -> None:
    """Write one seed's file, logits in half precision. Raise PredictionsError for logits that are not finite."""
    tensors = {}
    for split, of in splits.items():
        if not np.isfinite(of.logits).all():
            raise PredictionsError(f"{path}: the logits of {split} are not finite: the training diverged")
        packed = (
            halved(of.logits),
            of.labels.astype(np.uint8),
            of.rows.astype(np.int32),
            of.in_training,
            of.near_duplicate,
        )
        for field, values in zip(fields(Predictions), packed, strict=True):
            tensors[f"{split}.{field.name}"] = np.ascontiguousarray(values)
    content = save(tensors, metadata={"provenance": json.dumps(provenance, sort_keys=True)})
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)  # save_file would make it unreadable for others


def halved(logits: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return the logits less their face's largest one, (N, 7), in half precision and with the same answers.

    A difference too small for float16 becomes the smallest that it has, so that no runner-up draws level.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    half = np.maximum(shifted, np.finfo(np.float16).min).astype(np.float16)
    return np.where(shifted < 0, np.minimum(half, -np.finfo(np.float16).smallest_subnormal), np.float16(0))


def read_predictions(path: Path) -> tuple[dict[Split, Predictions], dict[str, Any]]:
    """Return both test splits, with float32 logits, and the provenance. Raise PredictionsError or FileNotFoundError."""
    try:
        with safe_open(path, framework="numpy") as file:
            provenance: dict[str, Any] = json.loads((file.metadata() or {})["provenance"])
            splits = {
                split: Predictions(
                    logits=file.get_tensor(f"{split}.logits").astype(np.float32),
                    labels=file.get_tensor(f"{split}.labels"),
                    rows=file.get_tensor(f"{split}.rows").astype(np.int64),
                    in_training=file.get_tensor(f"{split}.in_training"),
                    near_duplicate=file.get_tensor(f"{split}.near_duplicate"),
                )
                for split in TEST_SPLITS
            }
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise PredictionsError(f"{path}: not predictions of this project ({error})") from None
    return splits, provenance


def read_seeds(folder: Path) -> tuple[dict[int, Splits], dict[int, dict[str, Any]]]:
    """Return the predictions and the provenance of every seed of a system.

    Raise PredictionsError where it has none, UserError for a file that no seed names.
    """
    read = {seed: read_predictions(path) for seed, path in by_seed(folder).items()}
    if not read:
        raise PredictionsError(f"{folder}: no predictions; expected {{seed}}.safetensors")
    return {seed: splits for seed, (splits, _) in read.items()}, {seed: run for seed, (_, run) in read.items()}


def near_duplicate_rows(path: Path) -> NDArray[np.int64]:
    """Return the CSV's rows of the test faces that have a near-duplicate in Training, as ingest wrote them."""
    with path.open(encoding="ascii", newline="") as file:
        return np.array([int(line["row"]) for line in csv.DictReader(file)], np.int64)
