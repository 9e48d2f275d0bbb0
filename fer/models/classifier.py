"""A network together with the normalisation that it was trained with, and the file that holds both."""

import json
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fer.emotions import IMAGE_SIZE
from fer.errors import UserError
from fer.files import replacing
from fer.models.views import centre, views_of
from fer.models.zoo import build

METADATA_KEY = "provenance"


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
        """Grey values 0..255 of any type, (N, 1, H, H), to float32 of the same shape.

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
    """Grey faces 0..255 (N, 1, 48, 48) to seven scores (N, 7); scaled to `input_size` where the network wants another.

    A network that was trained on crops of `crop` pixels sees the centre of a whole face, and takes crops as they are.
    `views` names what `predict` is to show it of each face when its numbers are measured.
    """

    def __init__(
        self,
        normalise: Normalisation,
        network: nn.Module,
        *,
        input_size: int = IMAGE_SIZE,
        crop: int | None = None,
        views: str = "one",
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.network = network
        self.input_size = input_size
        self.crop = crop
        self.views = views

    def prepared(self, images: Tensor) -> Tensor:
        """What the network takes: float32 (N, 1, input_size, input_size)."""
        faces: Tensor = self.normalise(centre(images, self.crop) if self.crop else images)
        if self.input_size != faces.shape[-1]:
            faces = F.interpolate(faces, size=(self.input_size,) * 2, mode="bilinear", align_corners=False)
        return faces.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.network(self.prepared(images))
        return scores  # (N, 7)


@torch.inference_mode()
def predict(
    classifier: nn.Module, images: Tensor, precision: torch.dtype, *, batch_size: int = 512, views: str = "one"
) -> Tensor:
    """Scores in evaluation mode, float32 (N, 7), for uint8 (N, 1, 48, 48).

    With more than one view (fer/models/views.py) a face's scores are the logarithms of its views' mean probabilities.
    """
    classifier.eval()
    crop = getattr(classifier, "crop", None)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
        scores = [
            merged([classifier(view).float() for view in views_of(block, views, crop)])
            for block in torch.split(images, batch_size)
        ]
    return torch.cat(scores)  # (N, 7)


def merged(scores: list[Tensor]) -> Tensor:
    """One view's scores as they are; of several (B, 7) each, the logarithm of the mean of their softmax."""
    if len(scores) == 1:
        return scores[0]
    return torch.stack(scores).log_softmax(-1).logsumexp(0) - math.log(len(scores))  # (B, 7)


def save_classifier(path: Path, state: dict[str, Tensor], provenance: dict[str, Any]) -> None:
    """`state` is a Classifier's state_dict; provenance holds at least what `load_classifier` reads."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    content = save(tensors, metadata={METADATA_KEY: json.dumps(provenance, sort_keys=True)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_classifier(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """The classifier in evaluation mode and its provenance. Raises WeightsError or FileNotFoundError."""
    try:
        with safe_open(path, framework="pt") as file:
            provenance = json.loads((file.metadata() or {})[METADATA_KEY])
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no dict)
        normalise = Normalisation(per_image=provenance["normalise"] == "image")
        network = build(provenance["model"], **provenance["network"])
        seen = {"crop": provenance.get("crop"), "views": provenance.get("views", "one")}
        classifier = Classifier(normalise, network, input_size=provenance["network"]["side"], **seen)
        classifier.load_state_dict(state)
    except (SafetensorError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path}: not the weights of a system of this project ({error})") from None
    return classifier.to(memory_format=torch.channels_last).eval(), provenance
