"""Networks that start from pretrained weights: a backbone in stages, the mean over space, a head of our own.

The backbones keep the names of their public state dicts (torchvision's, and facenet-pytorch's for
Inception-ResNet-v1), so that weights load as they are. All of them take one grey channel.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fer.models.inception import inception_resnet_v1
from fer.models.plain import Layers, affine, initialised


@dataclass(frozen=True)
class Backbone:
    """An architecture without its head.

    Attributes:
        build: a Sequential with random weights; with `v1_strides`, a ResNet in He et al.'s own variant.
        stage_ends: units (layers in order) that end a stage; stages are frozen and thawed as wholes.
        channels: of the last stage.
        smallest: side of the smallest image that passes, in pixels.
    """

    build: Callable[..., nn.Sequential]
    stage_ends: tuple[int, ...]
    channels: int
    smallest: int = 32


def torchvision_network(name: str) -> Any:
    """One of torchvision's, with random weights."""
    import torchvision.models  # noqa: PLC0415 - two seconds in each process of a graph that mostly builds others

    return torchvision.models.get_model(name)


def features_of(name: str) -> nn.Sequential:
    """A VGG or MobileNet without its classifier; the first convolution takes one channel."""
    return one_channel(nn.Sequential(OrderedDict(features=torchvision_network(name).get_submodule("features"))))


def resnet50(*, v1_strides: bool = False) -> nn.Sequential:
    """torchvision's ResNet-50 without its classifier.

    torchvision's own (v1.5) halves the side in a stage's first 3x3 convolution; He et al.'s (v1) in the 1x1 before it.
    """
    network = torchvision_network("resnet50")
    for stage in (network.layer2, network.layer3, network.layer4) if v1_strides else ():
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    children = OrderedDict(list(network.named_children())[:-2])  # without avgpool and fc
    return one_channel(nn.Sequential(children))


def one_channel(backbone: nn.Sequential) -> nn.Sequential:
    """The first convolution with one input channel: a grey image is the same in all three."""
    first = next(module for module in backbone.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = 1
    first.weight = nn.Parameter(first.weight.detach().sum(1, keepdim=True))
    return backbone


BACKBONES: dict[str, Backbone] = {
    "vgg11": Backbone(lambda: features_of("vgg11"), (3, 6, 11, 16, 21), 512),
    "vgg16": Backbone(lambda: features_of("vgg16"), (5, 10, 17, 24, 31), 512),
    "resnet50": Backbone(resnet50, (4, 5, 6, 7, 8), 2048),
    "mobilenet_v2": Backbone(lambda: features_of("mobilenet_v2"), (2, 4, 7, 14, 19), 1280),
    "inception_resnet_v1": Backbone(inception_resnet_v1, (3, 7, 8, 9, 10, 11), 1792, smallest=75),
}


class Transferred(nn.Module):
    """(N, 1, H, W) -> (N, 7): the backbone, its mean over space, the head.

    Frozen stages are not trained and their batch normalisation keeps the pretrained statistics in training too.
    """

    def __init__(self, architecture: str, layers: Layers, hidden: tuple[int, ...], *, v1_strides: bool = False) -> None:
        super().__init__()
        row = BACKBONES[architecture]
        self.backbone = row.build(**({"v1_strides": True} if v1_strides else {}))
        scores = affine(row.channels, hidden, layers, batch_norm=layers.batch_norm)
        self.head = initialised(nn.Sequential(*([] if hidden else layers.drop()), *scores))
        self.stage_ends = row.stage_ends
        self.frozen = 0  # stages from the input on

    @property
    def stages(self) -> list[list[nn.Module]]:
        """The backbone's layers, grouped, from the input on."""
        children = list(self.backbone.children())
        units = list(children[0].children()) if len(children) == 1 else children
        starts = (0, *self.stage_ends[:-1])
        return [units[start:end] for start, end in zip(starts, self.stage_ends, strict=True)]

    def freeze(self, stages: int) -> None:
        """Freezes so many stages from the input on and thaws the others."""
        self.frozen = min(stages, len(self.stage_ends))
        for place, stage in enumerate(self.stages):
            for layer in stage:
                layer.requires_grad_(place >= self.frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Transferred":
        super().train(mode)
        for stage in self.stages[: self.frozen]:
            for layer in stage:
                layer.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, C)."""
        maps: Tensor = self.backbone(images)  # (N, C, h, w)
        return maps.mean((2, 3))  # (N, C)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.head(self.features(images))
        return scores  # (N, 7)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Takes a whole public state dict; its tensors for layers that are not here are left.

        Raises KeyError for a layer that the state lacks, RuntimeError for one of another shape.
        """
        wanted = self.backbone.state_dict()
        taken = {name: state[name] if name in state or not counter(name) else wanted[name] for name in wanted}
        self.backbone.load_state_dict(taken)


def counter(name: str) -> bool:
    """Batch normalisation's count of batches: it decides nothing, and some files leave it out."""
    return name.endswith("num_batches_tracked")


@torch.no_grad()
def estimate_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Batch normalisation's running statistics anew, as the mean over `batches`; weights stay.

    For weights whose statistics come from other pictures than ours (Li et al. 2016, adaptive batch normalisation).
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
    network.train()
    for batch in batches:
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
