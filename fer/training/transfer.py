"""Transfer: starting from pretrained weights, freezing and thawing, and features that are computed once."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fer.data.batches import DeviceFaces, DeviceFeatures
from fer.determinism import derived_seed, describe_device
from fer.files import locked, replacing
from fer.models.classifier import Classifier, Normalisation
from fer.models.pretrained import Transferred, estimate_statistics
from fer.models.weights import WEIGHTS, Loaded, MissingWeightsError, load
from fer.models.zoo import build
from fer.recipe import Recipe

HEAD = "network.head."
FEATURES = Path(".features")  # git-ignored; what stands there can be deleted at any time
FEATURE_BATCH = 64  # larger ones leave the CPU's cache
STATISTICS_FACES = 2560
STATISTICS_BATCH = 128


@dataclass(frozen=True)
class Pretrained:
    """A row of fer/models/weights.py, where its file may lie, and whether a run without it makes sense."""

    name: str
    folder: Path | None
    required: bool

    def load(self) -> Loaded | None:
        """None where the weights are not at hand and not required. Raises UserError."""
        try:
            return load(self.name, self.folder, download=self.required)
        except MissingWeightsError:
            if self.required:
                raise
            return None


def start_from(pretrained: Pretrained, model: str, network: dict[str, Any]) -> tuple[Classifier, dict[str, Any]]:
    """A classifier whose backbone has the pretrained weights, with their normalisation; and what to say of it.

    `network` is what `build` takes beside the model's name. Raises UserError for weights that are not to be had.
    """
    row, loaded = WEIGHTS[pretrained.name], pretrained.load()
    if loaded and loaded.v1_strides:
        network = network | {"v1_strides": True}
    transferred = build(model, **network)
    assert isinstance(transferred, Transferred)
    if loaded:
        transferred.load_backbone(loaded.state)
    normalise = Normalisation(row.mean, row.std)
    facts = {
        "network": network,
        "starts_from": row.trained_on if loaded else "random",
        "weights": pretrained.name if loaded else f"{pretrained.name} is not at hand: random initialisation",
        "weights_sha256": loaded.sha256 if loaded else None,
        "normalise": f"{row.mean:g}, {row.std:g}",
    }
    return Classifier(normalise, transferred, input_size=network["side"]), facts


def thaw(network: nn.Module, recipe: Recipe, epoch: int) -> None:
    """Leaves `trainable_stages` trainable (null: all), one more every `unfreeze_every` epochs; `epoch` from 0."""
    if not isinstance(network, Transferred) or recipe.trainable_stages is None:
        return
    steps = epoch // recipe.unfreeze_every if recipe.unfreeze_every else 0
    network.freeze(max(0, len(network.stages) - recipe.trainable_stages - steps))


def adapt(classifier: Classifier, training: DeviceFaces) -> None:
    """Batch normalisation's statistics anew on Training faces, the same ones for every seed."""
    generator = torch.Generator().manual_seed(derived_seed("statistics"))
    chosen = torch.randperm(len(training), generator=generator)[:STATISTICS_FACES].to(training.labels.device)
    batches = [part for part in torch.split(chosen, STATISTICS_BATCH) if len(part) > 1]
    with torch.no_grad():
        estimate_statistics(classifier.network, (classifier.prepared(training.images[part]) for part in batches))


def feature_sets(
    classifier: Classifier, training: DeviceFaces, validation: DeviceFaces, *, mirrored: bool, precision: torch.dtype
) -> tuple[DeviceFeatures, DeviceFeatures]:
    """Both splits as the frozen backbone sees them; with `mirrored`, Training's mirror images as well."""
    views = [training.images, training.images.flip(-1)] if mirrored else [training.images]
    of_training = torch.stack([features(classifier, images, precision) for images in views])  # (1 or 2, N, C)
    of_validation = features(classifier, validation.images, precision)[None]  # (1, N, C)
    return (
        DeviceFeatures(of_training, training.labels, training.split),
        DeviceFeatures(of_validation, validation.labels, validation.split),
    )


def features(classifier: Classifier, images: Tensor, precision: torch.dtype) -> Tensor:
    """The backbone's features, float32 (N, C), of uint8 (N, 1, 48, 48); kept on disk for the next run that asks.

    What they depend on names the file: the weights, the images, the input size, precision, device and torch's version.
    """
    parts = (
        images.cpu().numpy(),
        str((classifier.input_size, precision, describe_device(images.device))),
        torch.__version__,
    )
    path = FEATURES / f"{digest(classifier, *parts)}.safetensors"
    with locked(path.with_suffix(".lock")):  # seeds side by side ask for the same ones
        if not path.exists():
            with replacing(path) as temporary:
                save_file({"features": compute_features(classifier, images, precision).cpu()}, temporary)
        return load_file(path)["features"].to(images.device)


@torch.inference_mode()
def compute_features(classifier: Classifier, images: Tensor, precision: torch.dtype) -> Tensor:
    network = classifier.eval().network
    assert isinstance(network, Transferred)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
        parts = [network.features(classifier.prepared(part)).float() for part in torch.split(images, FEATURE_BATCH)]
    return torch.cat(parts)  # (N, C)


def digest(classifier: Classifier, *parts: Any) -> str:
    """Hexadecimal hash of the normalisation's and the backbone's tensors and of `parts`."""
    result = hashlib.sha256()
    for name, tensor in classifier.state_dict().items():
        if not name.startswith(HEAD):
            result.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    for part in parts:
        result.update(
            part if isinstance(part, bytes) else memoryview(part) if hasattr(part, "dtype") else part.encode()
        )
    return result.hexdigest()[:32]
