"""The small trained networks that are kept in git, so that a fresh clone can predict without training."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save

from fer.errors import UserError
from fer.files import atomic_write
from fer.models.classifier import METADATA_KEY

WHOLE = 2 << 20  # bytes; a larger file's matrices are kept in half precision
LARGEST = 25 << 20  # bytes; what git should carry of one network


def publish(weights: Path, out: Path, *, temperature: float) -> None:
    """Write a network for use, with the temperature that its logits are divided by in its provenance.

    Of a large network matrices and filters are halved to float16, which moves its logits in the fourth digit; vectors,
    batch normalisation's among them, and the normalisation's mean face stay float32.

    Raise UserError for a network too large for git.
    """
    with safe_open(weights, framework="pt") as file:
        provenance = json.loads(file.metadata()[METADATA_KEY]) | {"temperature": temperature}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    if weights.stat().st_size > WHOLE:
        tensors = {
            name: tensor.half() if tensor.ndim > 1 and not name.startswith("normalise.") else tensor
            for name, tensor in tensors.items()
        }
    content = save(tensors, metadata={METADATA_KEY: json.dumps(provenance, sort_keys=True)})
    if len(content) > LARGEST:
        raise UserError(f"run.export={out.stem}: {weights} has more than {LARGEST >> 20} MB for git; leave it out")
    with atomic_write(out) as temporary:
        temporary.write_bytes(content)
