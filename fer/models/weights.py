"""A file of pretrained weights: a public state dict as safetensors, read for a network that takes grey images."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from fer.errors import UserError

# Where each public state dict has its first convolution.
FIRST = {
    "vgg11": "features.0.weight",
    "vgg16": "features.0.weight",
    "resnet50": "conv1.weight",
    "mobilenet_v2": "features.0.0.weight",
    "inception_resnet_v1": "conv2d_1a.conv.weight",
}


def read_metadata(path: Path) -> dict[str, str]:
    """Return the file's metadata, empty for a public one. Raise UserError for a file that is no safetensors."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: no safetensors file ({error})") from None


def read_backbone(path: Path, backbone: str) -> dict[str, Tensor]:
    """Return the tensors of a backbone's public file, float32, the first convolution with one input channel.

    Raise UserError for a file that is no safetensors or has other names.
    """
    read_metadata(path)
    state = load_file(path)
    if FIRST[backbone] not in state:
        raise UserError(f"{path}: no tensor {FIRST[backbone]}; the names must be the public ones of {backbone}")
    return one_channel(state, FIRST[backbone])


def one_channel(state: Mapping[str, Tensor], first: str) -> dict[str, Tensor]:
    """Return the tensors as float32, those of the first convolution summed over its input channels.

    A grey image repeated to three channels and normalised with one mean and one deviation is the same in each of them:
    the sum is the same function, in a third of the work.
    """
    result = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    return result | {first: result[first].sum(1, keepdim=True)}
