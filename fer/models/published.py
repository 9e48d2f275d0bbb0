"""The small trained networks that are kept in git, so that a fresh clone can predict without training."""

from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save

from fer.errors import UserError
from fer.files import replacing, write_json
from fer.models.classifier import load_classifier

WHOLE = 2 << 20  # bytes; a larger file's matrices are kept in half precision
LARGEST = 25 << 20  # bytes; what git should carry of one network


def publish(models: Path, out: Path, systems: tuple[str, ...]) -> None:
    """Copies each system's best seed on PublicTest to `out`, with an index of where each comes from.

    Of a large network matrices and filters are halved to float16, which moves its scores in the fourth digit; vectors,
    batch normalisation's among them, stay float32.

    Raises UserError for a network too large for git.
    """
    index: dict[str, Any] = {}
    for system in systems:
        weights = best_seed(models / system)
        content = weights.read_bytes() if weights.stat().st_size <= WHOLE else halved(weights)
        if len(content) > LARGEST:
            raise UserError(f"datasets.*.publish={system}: {weights} has more than {LARGEST >> 20} MB; leave it out")
        with replacing(out / f"{system}.safetensors") as temporary:
            temporary.write_bytes(content)
        index[system] = load_classifier(weights)[1]
    write_json(out / "index.json", index)


def halved(weights: Path) -> bytes:
    """The file with its filters and weight matrices in float16; its normalisation's mean face stays as it is."""
    with safe_open(weights, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    small = {
        name: tensor.half() if tensor.ndim > 1 and not name.startswith("normalise.") else tensor
        for name, tensor in tensors.items()
    }
    return save(small, metadata=metadata)


def best_seed(folder: Path) -> Path:
    """The seed whose kept epoch was most accurate on PublicTest; of equals the first."""
    candidates = sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem))
    if not candidates:
        raise UserError(f"{folder}: no trained seed to publish")
    return max(candidates, key=lambda path: load_classifier(path)[1]["validation_accuracy"])
