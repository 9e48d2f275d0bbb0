"""Pretrained weights: one row each, where they come from, and how a grey image is put to them.

A file in the user's folder is used where there is one; else torchvision downloads its own; else the error says what to
put where. Files are safetensors with the public state dict's names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fer.errors import UserError
from fer.files import sha256_of

IMAGENET = (0.449 * 255, 0.226 * 255)  # the means of ImageNet's three means and of its three deviations
FACENET = (127.5, 128.0)
VGGFACE = (109.18, 1.0)  # Parkhi et al. 2015 subtract 129.186, 104.762, 93.594 from 0..255 and scale nothing
VGGFACE2 = (108.82, 1.0)  # Cao et al. 2018 likewise, 91.4953, 103.8827, 131.0912


@dataclass(frozen=True)
class Weights:
    """Weights for a backbone (fer/models/pretrained.py).

    Attributes:
        trained_on: what the table's column "starts from" says.
        mean, std: of grey values 0..255; one number each, since a grey image is the same in every channel.
        file: looked for in the weights folder.
        sha256: the file's; None where any file of that name with fitting tensors is taken.
        v1_strides: the file's variant of ResNet (fer.models.pretrained.resnet50).
        torchvision: the entry that torchvision downloads, e.g. `VGG16_Weights.IMAGENET1K_V1`.
    """

    architecture: str
    trained_on: str
    source: str
    licence: str
    normalisation: tuple[float, float]
    file: str
    sha256: str | None = None
    v1_strides: bool = False
    torchvision: str | None = None

    @property
    def mean(self) -> float:
        return self.normalisation[0]

    @property
    def std(self) -> float:
        return self.normalisation[1]


WEIGHTS: dict[str, Weights] = {
    "vgg11_imagenet": Weights(
        architecture="vgg11",
        trained_on="ImageNet",
        source="torchvision (Simonyan & Zisserman 2015)",
        licence="BSD",
        normalisation=IMAGENET,
        file="vgg11_features_imagenet.safetensors",
        torchvision="VGG11_Weights.IMAGENET1K_V1",
    ),
    "vgg16_imagenet": Weights(
        architecture="vgg16",
        trained_on="ImageNet",
        source="torchvision (Simonyan & Zisserman 2015)",
        licence="BSD",
        normalisation=IMAGENET,
        file="vgg16_features_imagenet.safetensors",
        sha256="319e3ceb68521edc49f955b215ae4f3fad44d5441c7799bffbe01cf7213d0cb2",
        torchvision="VGG16_Weights.IMAGENET1K_V1",
    ),
    "resnet50_imagenet": Weights(
        architecture="resnet50",
        trained_on="ImageNet",
        source="He et al. 2016, converted; torchvision's own are of the v1.5 variant",
        licence="MIT",
        normalisation=IMAGENET,
        file="resnet50_v1_imagenet.safetensors",
        sha256="d97886e31e0257136edd8ea8766c406400f6f160fa421c4982e2e4832468cd0e",
        v1_strides=True,
        torchvision="ResNet50_Weights.IMAGENET1K_V1",
    ),
    "mobilenet_v2_imagenet": Weights(
        architecture="mobilenet_v2",
        trained_on="ImageNet",
        source="torchvision (Sandler et al. 2018)",
        licence="BSD",
        normalisation=IMAGENET,
        file="mobilenet_v2_imagenet.safetensors",
        sha256="454a2faa5cbe632b11bc6a35986b44332ce578442bea0ec6c89bed18d70869de",
        torchvision="MobileNet_V2_Weights.IMAGENET1K_V1",
    ),
    "inception_resnet_v1_vggface2": Weights(
        architecture="inception_resnet_v1",
        trained_on="VGGFace2",
        source="facenet-pytorch, very likely 20180402-114759-vggface2.pt, converted to safetensors",
        licence="MIT",
        normalisation=FACENET,
        file="inception_resnet_v1_vggface2.safetensors",
        sha256="b2d6c2258c8dc740e7a2e88a0e1a6b752c61fdff3b49f2ebf252ff9c800fa15e",
    ),
    "vgg16_vggface": Weights(
        architecture="vgg16",
        trained_on="VGGFace",
        source="Oxford VGG (Parkhi et al. 2015), converted to safetensors with the names of torchvision's vgg16()",
        licence="not for commercial use; see the source",
        normalisation=VGGFACE,
        file="vgg16_features_vggface.safetensors",
    ),
    "resnet50_vggface": Weights(
        architecture="resnet50",
        trained_on="VGGFace2",
        source="Oxford VGG (Cao et al. 2018), converted to safetensors with the names of torchvision's resnet50()",
        licence="see the source",
        normalisation=VGGFACE2,
        file="resnet50_v1_vggface2.safetensors",
        v1_strides=True,
    ),
}


# Where each architecture's state dict has its first convolution.
FIRST = {
    "vgg11": "features.0.weight",
    "vgg16": "features.0.weight",
    "resnet50": "conv1.weight",
    "mobilenet_v2": "features.0.0.weight",
    "inception_resnet_v1": "conv2d_1a.conv.weight",
}


@dataclass(frozen=True)
class Loaded:
    """Weights in memory: float32, the first convolution with one input channel."""

    state: Mapping[str, Tensor]
    v1_strides: bool
    sha256: str


class MissingWeightsError(UserError):
    """Weights that are neither in the folder nor to be downloaded; the message says what to put where."""


def load(name: str, folder: Path | None, *, download: bool) -> Loaded:
    """The weights of a row: from `folder`, else from torchvision where `download` allows it.

    Raises KeyError for a name without a row, MissingWeightsError, or UserError for a file that is not the row's.
    """
    row = WEIGHTS[name]
    path = folder / row.file if folder else None
    if path and path.exists():
        state, sha256 = read(path, row.sha256)
        return Loaded(one_channel(state, row.architecture, path), row.v1_strides, sha256)
    if download and row.torchvision:
        return from_torchvision(name, folder)
    raise MissingWeightsError(missing(name, folder, "none are downloaded" if row.torchvision else "have no download"))


def read(path: Path, expected: str | None) -> tuple[dict[str, Tensor], str]:
    """The file's tensors and its sha256."""
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: no safetensors file ({error})") from None
    found = sha256_of(path)
    if expected not in {None, found}:
        raise UserError(f"{path}: another file than the one known\nexpected sha256 {expected}\nfound           {found}")
    return state, found


def from_torchvision(name: str, folder: Path | None) -> Loaded:
    """torchvision's own file, from its cache or with a progress bar from the network; always v1.5 strides.

    torch.hub checks the hash of what it downloads but not of what its cache holds: that is checked here.
    """
    import torchvision.models  # noqa: PLC0415 - as in fer/models/pretrained.py

    row = WEIGHTS[name]
    weights = torchvision.models.get_weight(str(row.torchvision))
    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[1]
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:  # URLError is an OSError
        reason = f"the download failed ({error}); a torn {path} can be deleted"
        raise MissingWeightsError(missing(name, folder, reason)) from None
    sha256 = sha256_of(path)
    if not sha256.startswith(path.stem.rsplit("-", 1)[1]):  # vgg16-397923af.pth
        raise UserError(f"{path}: not the file that torchvision published (sha256 {sha256}); delete it")
    return Loaded(one_channel(state, row.architecture, path), v1_strides=False, sha256=sha256)


def missing(name: str, folder: Path | None, reason: str) -> str:
    row = WEIGHTS[name]
    return (
        f"weights={name}: not in {folder or 'a folder (none is named)'} as {row.file}: {reason}\n"
        f"they come from: {row.source} ({row.licence})\n"
        "put the file in a folder and name it in params.yaml (transfer.weights_dir) or the environment (FER_WEIGHTS)"
    )


def one_channel(state: Mapping[str, Tensor], architecture: str, path: Path) -> dict[str, Tensor]:
    """float32, and the first convolution's weights summed over its three input channels.

    A grey image repeated to three channels and normalised with one mean and one deviation is the same in each of them:
    the sum is the same function, in a third of the work.
    """
    result = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    first = FIRST[architecture]
    if first not in result:
        raise UserError(f"{path}: no tensor {first}; the names must be those of torchvision's or facenet-pytorch's")
    return result | {first: result[first].sum(1, keepdim=True)}
