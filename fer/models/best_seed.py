"""The seed of a system that is shown and published: the best one on PublicTest."""

import json
from pathlib import Path

from safetensors import safe_open

from fer.errors import UserError
from fer.files import by_seed


def best_seed(folder: Path) -> Path:
    """Return the weights whose kept epoch was most accurate on PublicTest; of equals those of the lowest seed.

    Raise UserError for a folder without weights, or with a file that no seed names.
    """
    candidates = by_seed(folder).values()
    if not candidates:
        raise UserError(f"{folder}: no trained seed; `dvc repro` trains the systems of params.yaml's run.systems")
    return max(candidates, key=validation_accuracy)


def validation_accuracy(weights: Path) -> float:
    """Return what the file's provenance says; no tensor is read."""
    with safe_open(weights, framework="numpy") as file:
        return float(json.loads(file.metadata()["provenance"])["validation_accuracy"])
