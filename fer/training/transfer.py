"""Transfer: starting from pretrained weights, freezing and unfreezing, and features that are computed once."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fer.config.run import RunConfig
from fer.errors import UserError
from fer.files import atomic_write, file_lock, source_hash
from fer.models.classifier import METADATA_KEY, Classifier, load_classifier
from fer.models.device import describe_device
from fer.models.pretrained import Transferred, estimate_statistics
from fer.models.weights import read_backbone, read_metadata
from fer.training.augment import distorts
from fer.training.batches import DeviceFaces, DeviceFeatures
from fer.training.seeds import derived_seed

HEAD = "network.head."
FEATURES = Path(".features")  # git-ignored; what stands there can be deleted at any time
FEATURE_BATCH = 64  # larger ones leave the CPU's cache
STATISTICS_FACES = 2560
STATISTICS_BATCH = 128
CODE = source_hash("models/*.py")


def start_from(path: Path, classifier: Classifier, config: RunConfig) -> None:
    """Put a file's weights into a fresh classifier: a public backbone's, or those that this project trained.

    Raise UserError for a file that is neither, or does not fit the config.
    """
    if METADATA_KEY in read_metadata(path):
        start_from_own(path, classifier, config)
    elif config.network.type == "backbone":
        assert isinstance(classifier.network, Transferred)
        try:
            classifier.network.load_backbone(read_backbone(path, config.network.backbone))
        except (KeyError, RuntimeError) as error:
            raise UserError(f"{path}: not the weights of {config.network.backbone} ({error})") from None
    else:
        raise UserError(
            f"{path}: not trained by this project; only a network of type backbone starts from public weights"
        )


def start_from_own(path: Path, classifier: Classifier, config: RunConfig) -> None:
    """Take all of another training's tensors, its normalisation's too, but the last affine layer's."""
    source, provenance = load_classifier(path)
    given = provenance["config"]
    for option, wanted in (("network", config.network.model_dump(mode="json")), ("normalise", config.normalise)):
        if given[option] != wanted:
            raise UserError(
                f"{path}: trained with {option}={given[option]}; the system has {wanted}, it must be the same"
            )
    *_, last = (name for name, layer in classifier.named_modules() if isinstance(layer, nn.Linear))
    fresh = {name: tensor for name, tensor in classifier.state_dict().items() if name.startswith(f"{last}.")}
    try:
        classifier.load_state_dict(source.state_dict() | fresh)
    except RuntimeError as error:
        raise UserError(f"{path}: trained on images of another size ({error})") from None


def unfreeze(network: nn.Module, config: RunConfig, epoch: int) -> None:
    """Leave `trainable_stages` trainable (null: all), one more every `unfreeze_every` epochs; `epoch` from 0."""
    transfer = config.transfer
    if not isinstance(network, Transferred) or transfer.trainable_stages is None:
        return
    steps = epoch // transfer.unfreeze_every if transfer.unfreeze_every else 0
    network.freeze(max(0, len(network.stages) - transfer.trainable_stages - steps))


def adapt(classifier: Classifier, training: DeviceFaces) -> None:
    """Take batch normalisation's statistics anew on Training faces, the same ones for every seed."""
    generator = torch.Generator().manual_seed(derived_seed("statistics"))
    chosen = torch.randperm(len(training), generator=generator)[:STATISTICS_FACES].to(training.labels.device)
    batches = [part for part in torch.split(chosen, STATISTICS_BATCH) if len(part) > 1]
    with torch.no_grad():
        estimate_statistics(classifier.network, (classifier.prepared(training.images[part]) for part in batches))


def features_once(config: RunConfig) -> bool:
    """Whether a frozen backbone says the same of a face in every epoch."""
    frozen = config.transfer.trainable_stages == 0 and config.transfer.unfreeze_every is None
    return frozen and not distorts(config.augment) and not config.mixup


def feature_sets(
    classifier: Classifier, training: DeviceFaces, validation: DeviceFaces, *, mirrored: bool, precision: torch.dtype
) -> tuple[DeviceFeatures, DeviceFeatures]:
    """Return both splits as the frozen backbone sees them; with `mirrored`, Training's mirror images as well."""
    views = [training.images, training.images.flip(-1)] if mirrored else [training.images]
    of_training = torch.stack([features(classifier, images, precision) for images in views])  # (1 or 2, N, C)
    of_validation = features(classifier, validation.images, precision)[None]  # (1, N, C)
    return (
        DeviceFeatures(of_training, training.labels, training.split),
        DeviceFeatures(of_validation, validation.labels, validation.split),
    )


def features(classifier: Classifier, images: Tensor, precision: torch.dtype) -> Tensor:
    """Return the backbone's features, float32 (N, C), of uint8 (N, 1, 48, 48); they stay on disk for the next run.

    What they depend on names the file: the backbone's layers and weights, the images, their size on the way in,
    precision, device, threads, torch's version and the code of fer/models.
    """
    assert isinstance(classifier.network, Transferred)
    facts = (
        str(classifier.network.backbone), classifier.input_size, precision, describe_device(images.device),
        torch.get_num_threads(), torch.__version__, CODE,
    )  # fmt: skip
    parts = (images.cpu().numpy(), str(facts))
    path = FEATURES / f"{digest(classifier, *parts)}.safetensors"
    with file_lock(path.with_suffix(".lock")):  # seeds side by side ask for the same ones
        if not path.exists():
            with atomic_write(path) as temporary:
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
    """Return the hexadecimal hash of the normalisation's and the backbone's tensors and of `parts`."""
    result = hashlib.sha256()
    for name, tensor in classifier.state_dict().items():
        if not name.startswith(HEAD):
            result.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    for part in parts:
        result.update(
            part if isinstance(part, bytes) else memoryview(part) if hasattr(part, "dtype") else part.encode()
        )
    return result.hexdigest()[:32]
