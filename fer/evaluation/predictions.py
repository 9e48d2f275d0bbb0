"""What a trained network said about every test face: predicted once, measured many times.

A file a seed, data/predictions/{dataset}/{system}/{seed}.safetensors, with `PublicTest.logits` float32 (N, 7),
`PublicTest.labels` uint8 (N,), `PublicTest.rows` int64 (N,), `PublicTest.in_training` and `PublicTest.near_duplicate`
bool (N,), and the same for PrivateTest. Its one metadata key, `provenance`, is JSON: system, seed, parameters, data
hash, device, and `predicted_from`, a hash of what the logits come from (fer/evaluation/predict.py).
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fer.emotions import Split
from fer.files import replacing

TEST_SPLITS = (Split.public_test, Split.private_test)


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
        """The class with the highest score, (N,)."""
        return np.asarray(self.logits.argmax(axis=1))

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, (N, 7)."""
        shifted = np.exp(self.logits.astype(np.float64) - self.logits.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))  # (N, 7)

    def leak_free(self) -> "Predictions":
        """Without the faces that also occur byte for byte in Training."""
        return self.chosen(~self.in_training)

    def without_near_duplicates(self) -> "Predictions":
        """Without those either that nearly occur there (fer/data/near_duplicates.py)."""
        return self.chosen(~(self.in_training | self.near_duplicate))

    def chosen(self, kept: NDArray[np.bool_]) -> "Predictions":
        """Some of the faces, (N,)."""
        return Predictions(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})


def write_predictions(path: Path, splits: dict[Split, Predictions], provenance: dict[str, Any]) -> None:
    tensors = {
        f"{split}.{field.name}": np.ascontiguousarray(getattr(predictions, field.name))
        for split, predictions in splits.items()
        for field in fields(Predictions)
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"provenance": json.dumps(provenance, sort_keys=True)})


def read_predictions(path: Path) -> tuple[dict[Split, Predictions], dict[str, Any]]:
    """Both test splits and the provenance. Raises FileNotFoundError, or KeyError for another kind of file."""
    with safe_open(path, framework="numpy") as file:
        provenance = json.loads(file.metadata()["provenance"])
        splits = {
            split: Predictions(
                **{field.name: file.get_tensor(f"{split}.{field.name}") for field in fields(Predictions)}
            )
            for split in TEST_SPLITS
        }
    return splits, provenance


def predicted_from(path: Path) -> str | None:
    """The hash of what the file's logits come from; None without such a file, and for one that does not say."""
    try:
        with safe_open(path, framework="numpy") as file:
            provenance = json.loads((file.metadata() or {})["provenance"])
    except (FileNotFoundError, SafetensorError, KeyError, json.JSONDecodeError):
        return None
    key: str | None = provenance.get("predicted_from")
    return key


def read_logits(path: Path) -> dict[Split, NDArray[np.float32]]:
    """Float32 (N, 7) for each test split."""
    with safe_open(path, framework="numpy") as file:
        return {split: file.get_tensor(f"{split}.logits") for split in TEST_SPLITS}
