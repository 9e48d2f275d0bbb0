"""A network together with the normalisation that it was trained with, and the file that holds both."""

import json
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fer.config.network import Network
from fer.constants import IMAGE_SIZE
from fer.errors import UserError
from fer.files import atomic_write
from fer.models.device import layout
from fer.models.networks import build, input_side
from fer.models.tta import augmented, centre

METADATA_KEY = "provenance"
NETWORK: TypeAdapter[Network] = TypeAdapter(Network)

# Mean and deviation of grey values 0..255 that pretrained weights want; a grey image is the same in every channel.
CONSTANTS = {
    "imagenet": (0.449 * 255, 0.226 * 255),  # the means of torchvision's three means and three deviations
    "facenet": (127.5, 128.0),  # facenet-pytorch's fixed_image_standardization
    "vggface": (109.18, 1.0),  # Parkhi et al. 2015 subtract 129.186, 104.762, 93.594 and scale nothing
    "vggface2": (108.82, 1.0),  # Cao et al. 2018 likewise, 91.4953, 103.8827, 131.0912
}


class WeightsError(UserError):
    """A file that does not hold a classifier of this project."""


class Normalisation(nn.Module):
    """(x - mean) / std, with a mean face (`pixel`), one number (`global`) or each face's own (`image`)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: ArrayLike = 0.0, std: ArrayLike = 1.0, *, per_image: bool = False) -> None:
        super().__init__()
        shape = (IMAGE_SIZE, IMAGE_SIZE)
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32).expand(shape).contiguous())  # (48, 48)
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32).expand(shape).contiguous())  # (48, 48)
        self.per_image = per_image

    def forward(self, images: Tensor) -> Tensor:
        """Return grey values 0..255 of any type, (N, 1, H, H), as float32 of the same shape.

        A face cut to less than 48 pixels is compared with the middle of the mean face, wherever it was cut.
        """
        images = images.float()
        if self.per_image:
            std, mean = torch.std_mean(images, dim=(1, 2, 3), correction=0, keepdim=True)  # (N, 1, 1, 1)
            return (images - mean) / std.clamp_min(1.0)
        side = images.shape[-1]
        if side == IMAGE_SIZE:
            return (images - self.mean) / self.std
        return (images - centre(self.mean, side)) / centre(self.std, side)


class Classifier(nn.Module):
    """Grey faces 0..255 (N, 1, 48, 48) to logits (N, 7); scaled to `input_size` where the network wants another.

    A network that was trained on crops of `crop` pixels sees the centre of a whole face, and takes crops as they are.
    `tta` names what `predict` shows it of each face when its numbers are measured.
    """

    def __init__(
        self,
        normalise: Normalisation,
        network: nn.Module,
        *,
        input_size: int = IMAGE_SIZE,
        crop: int | None = None,
        tta: str = "none",
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.network = network
        self.input_size = input_size
        self.crop = crop
        self.tta = tta

    def prepared(self, images: Tensor) -> Tensor:
        """Return what the network takes: float32 (N, 1, input_size, input_size)."""
        faces: Tensor = self.normalise(centre(images, self.crop) if self.crop else images)
        if self.input_size != faces.shape[-1]:
            faces = scaled(faces, self.input_size)
        return faces.contiguous(memory_format=layout(faces.device))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(self.prepared(images))
        return logits  # (N, 7)


def scaled(faces: Tensor, side: int) -> Tensor:
    """Return float faces (N, 1, H, H) scaled bilinearly to (N, 1, side, side).

    Deterministic mode replaces F.interpolate on CUDA by 37 kernels, for its gradient alone: without one the plain
    operator is deterministic too.
    """
    if faces.requires_grad:
        return F.interpolate(faces, size=(side, side), mode="bilinear", align_corners=False)
    result: Tensor = torch.ops.aten.upsample_bilinear2d(faces, [side, side], False)
    return result


@torch.inference_mode()
def predict(
    classifier: nn.Module, images: Tensor, precision: torch.dtype, *, batch_size: int = 512, tta: str = "none"
) -> Tensor:
    """Return logits in evaluation mode, float32 (N, 7), for uint8 (N, 1, 48, 48).

    With test-time augmentation they are the logarithms of the mean probabilities. `batch_size` is for 48 pixels; a
    network that takes larger images sees fewer at once, so that memory stays the same.
    """
    classifier.eval()
    crop = getattr(classifier, "crop", None)
    side = max(IMAGE_SIZE, getattr(classifier, "input_size", IMAGE_SIZE))
    batch_size = max(1, batch_size * IMAGE_SIZE**2 // side**2)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
        logits = [
            merged([classifier(seen).float() for seen in augmented(block, tta, crop)])
            for block in torch.split(images, batch_size)
        ]
    return torch.cat(logits)  # (N, 7)


def merged(logits: list[Tensor]) -> Tensor:
    """Return one image's logits as they are; of several (B, 7) each, the logarithm of the mean of their softmax."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack(logits).log_softmax(-1).logsumexp(0) - math.log(len(logits))  # (B, 7)


def save_classifier(path: Path, state: dict[str, Tensor], provenance: dict[str, Any]) -> None:
    """Write a Classifier's state_dict; `provenance` holds at least the `config` that `load_classifier` reads."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    content = save(tensors, metadata={METADATA_KEY: json.dumps(provenance, sort_keys=True)})
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def load_classifier(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """Return the classifier in evaluation mode and its provenance. Raise WeightsError or FileNotFoundError.

    Of the config it reads what decides the function alone, so that a file outlives new options of training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            provenance = json.loads((file.metadata() or {})[METADATA_KEY])
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no dict)
        config = provenance["config"]
        crop = config["augment"]["crop"]
        side = input_side(config["input_size"], crop)
        classifier = Classifier(
            Normalisation(per_image=config["normalise"] == "image"),
            build(NETWORK.validate_python(config["network"]), side),
            input_size=side, crop=crop, tta=config["tta"],
        )  # fmt: skip
        classifier.load_state_dict(state)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: not the weights of a system of this project ({error})") from None
    return classifier.to(memory_format=torch.channels_last).eval(), provenance
