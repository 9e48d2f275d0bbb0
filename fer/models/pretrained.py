"""Networks that start from pretrained weights: a backbone in stages, the mean over space, a head of our own.

The backbones keep the names of their public state dicts (torchvision's, and facenet-pytorch's for
Inception-ResNet-v1), so that weights load as they are. All of them take one grey channel.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fer.config.network import Backbone
from fer.models.inception import inception_resnet_v1
from fer.models.plain import affine, drop, initialised

# The number of layers after which each stage ends, from the input on; stages freeze and unfreeze as wholes.
STAGE_ENDS: dict[str, tuple[int, ...]] = {
    "vgg11": (3, 6, 11, 16, 21),
    "vgg16": (5, 10, 17, 24, 31),
    "resnet50": (4, 5, 6, 7, 8),
    "mobilenet_v2": (2, 4, 7, 14, 19),
    "inception_resnet_v1": (3, 7, 8, 9, 10, 11),
}
CHANNELS = {"vgg11": 512, "vgg16": 512, "resnet50": 2048, "mobilenet_v2": 1280, "inception_resnet_v1": 1792}


def backbone(network: Backbone) -> nn.Sequential:
    """Return the architecture without its head, with random weights: (N, 1, H, W) -> (N, CHANNELS, h, w)."""
    if network.backbone == "inception_resnet_v1":
        return inception_resnet_v1()
    if network.backbone == "resnet50":
        return resnet50(v1_strides=network.v1_strides)
    return features_of(network.backbone)


def torchvision_network(name: str) -> Any:
    """Return one of torchvision's, with random weights."""
    import torchvision.models  # noqa: PLC0415 - two seconds in each process of a graph that mostly builds others

    return torchvision.models.get_model(name)


def features_of(name: str) -> nn.Sequential:
    """Return a VGG or MobileNet without its classifier."""
    return one_channel(nn.Sequential(OrderedDict(features=torchvision_network(name).get_submodule("features"))))


def resnet50(*, v1_strides: bool) -> nn.Sequential:
    """Return torchvision's ResNet-50 without its classifier.

    torchvision's own (v1.5) halves the side in a stage's first 3x3 convolution; He et al.'s (v1) in the 1x1 before it.
    """
    network = torchvision_network("resnet50")
    for stage in (network.layer2, network.layer3, network.layer4) if v1_strides else ():
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    children = OrderedDict(list(network.named_children())[:-2])  # without avgpool and fc
    return one_channel(nn.Sequential(children))


def one_channel(network: nn.Sequential) -> nn.Sequential:
    """Give the first convolution one input channel: a grey image is the same in all three."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = 1
    first.weight = nn.Parameter(first.weight.detach().sum(1, keepdim=True))
    return network


class Transferred(nn.Module):
    """(N, 1, H, W) -> (N, 7): the backbone, its mean over space, the head.

    Frozen stages are not trained and their batch normalisation keeps the pretrained statistics in training too.
    """

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.backbone = backbone(network)
        dense = affine(
            CHANNELS[network.backbone], network.hidden, batch_norm=network.batch_norm, dropout=network.dropout
        )
        self.head = initialised(nn.Sequential(*([] if network.hidden else drop(network.dropout)), *dense))
        self.stage_ends = STAGE_ENDS[network.backbone]
        self.frozen = 0  # stages from the input on

    @property
    def stages(self) -> list[list[nn.Module]]:
        """Return the backbone's layers by stage, from the input on."""
        children = list(self.backbone.children())
        units = list(children[0].children()) if len(children) == 1 else children
        starts = (0, *self.stage_ends[:-1])
        return [units[start:end] for start, end in zip(starts, self.stage_ends, strict=True)]

    def freeze(self, stages: int) -> None:
        """Freeze so many stages from the input on and unfreeze the others."""
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
        logits: Tensor = self.head(self.features(images))
        return logits  # (N, 7)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Take a whole public state dict; its tensors for layers that are not here are left.

        Raise KeyError for a layer that the state lacks, RuntimeError for one of another shape.
        """
        wanted = self.backbone.state_dict()
        taken = {name: state[name] if name in state or not counter(name) else wanted[name] for name in wanted}
        self.backbone.load_state_dict(taken)


def counter(name: str) -> bool:
    """Batch normalisation's count of batches: it decides nothing, and some files leave it out."""
    return name.endswith("num_batches_tracked")


@torch.no_grad()
def estimate_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Take batch normalisation's running statistics anew, as the mean over `batches`; weights stay.

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
