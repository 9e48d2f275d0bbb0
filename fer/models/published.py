"""The small trained networks that are kept in git, so that a fresh clone can predict without training."""

from pathlib import Path
from typing import Any

from fer.errors import UserError
from fer.files import write_json
from fer.models.classifier import load_classifier

LARGEST = 2 << 20  # bytes; what git should carry of one network


def publish(models: Path, out: Path, systems: tuple[str, ...]) -> None:
    """Copies each system's best seed on PublicTest to `out`, with an index of where each comes from.

    Raises UserError for a network too large for git.
    """
    index: dict[str, Any] = {}
    for system in systems:
        weights = best_seed(models / system)
        if weights.stat().st_size > LARGEST:
            raise UserError(f"datasets.*.publish={system}: {weights} has more than {LARGEST >> 20} MB; leave it out")
        (out / f"{system}.safetensors").parent.mkdir(parents=True, exist_ok=True)
        (out / f"{system}.safetensors").write_bytes(weights.read_bytes())
        index[system] = load_classifier(weights)[1]
    write_json(out / "index.json", index)


def best_seed(folder: Path) -> Path:
    """The seed whose kept epoch was most accurate on PublicTest; of equals the first."""
    candidates = sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem))
    if not candidates:
        raise UserError(f"{folder}: no trained seed to publish")
    return max(candidates, key=lambda path: load_classifier(path)[1]["validation_accuracy"])
