"""Inception-ResNet-v1 (Szegedy et al. 2016) as FaceNet's implementations have it, up to mixed_7a.

Layers and their names are those of facenet-pytorch, whose VGGFace2 weights they take. What follows mixed_7a there
(repeat_3, block8 and the embedding) tells people apart, not expressions: it is left out.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation (epsilon 0.001), ReLU."""

    def __init__(
        self,
        inputs: int,
        filters: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(filters, eps=0.001)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.relu(self.bn(self.conv(maps)))
        return result


class Residual(nn.Module):
    """x + scale * (branches of x side by side, brought back to x's channels), ReLU: blocks 35 and 17."""

    def __init__(self, channels: int, scale: float, *branches: nn.Module) -> None:
        super().__init__()
        self.scale = scale
        self.count = len(branches)
        for place, branch in enumerate(branches):
            self.add_module(f"branch{place}", branch)
        width = sum(last_filters(branch) for branch in branches)
        self.conv2d = nn.Conv2d(width, channels, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        branches = [getattr(self, f"branch{place}")(maps) for place in range(self.count)]
        result: Tensor = self.relu(maps + self.scale * self.conv2d(torch.cat(branches, 1)))
        return result


class Reduction(nn.Module):
    """Branches and a 3x3 max-pool side by side, each with stride 2: mixed_6a and mixed_7a."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.count = len(branches) + 1
        for place, branch in enumerate((*branches, nn.MaxPool2d(3, stride=2))):
            self.add_module(f"branch{place}", branch)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([getattr(self, f"branch{place}")(maps) for place in range(self.count)], 1)


def last_filters(branch: nn.Module) -> int:
    return [module for module in branch.modules() if isinstance(module, nn.Conv2d)][-1].out_channels


def block35() -> Residual:
    """(N, 256, H, W) -> the same."""
    return Residual(
        256,
        0.17,
        Convolution(256, 32, 1),
        nn.Sequential(Convolution(256, 32, 1), Convolution(32, 32, 3, padding=1)),
        nn.Sequential(Convolution(256, 32, 1), Convolution(32, 32, 3, padding=1), Convolution(32, 32, 3, padding=1)),
    )


def block17() -> Residual:
    """(N, 896, H, W) -> the same."""
    return Residual(
        896,
        0.10,
        Convolution(896, 128, 1),
        nn.Sequential(
            Convolution(896, 128, 1),
            Convolution(128, 128, (1, 7), padding=(0, 3)),
            Convolution(128, 128, (7, 1), padding=(3, 0)),
        ),
    )


def inception_resnet_v1() -> nn.Sequential:
    """(N, 1, H, W) -> (N, 1792, h, w); H and W at least 75."""
    mixed_6a = Reduction(
        Convolution(256, 384, 3, stride=2),
        nn.Sequential(
            Convolution(256, 192, 1), Convolution(192, 192, 3, padding=1), Convolution(192, 256, 3, stride=2)
        ),
    )
    mixed_7a = Reduction(
        nn.Sequential(Convolution(896, 256, 1), Convolution(256, 384, 3, stride=2)),
        nn.Sequential(Convolution(896, 256, 1), Convolution(256, 256, 3, stride=2)),
        nn.Sequential(
            Convolution(896, 256, 1), Convolution(256, 256, 3, padding=1), Convolution(256, 256, 3, stride=2)
        ),
    )
    return nn.Sequential(
        OrderedDict(
            conv2d_1a=Convolution(1, 32, 3, stride=2),
            conv2d_2a=Convolution(32, 32, 3),
            conv2d_2b=Convolution(32, 64, 3, padding=1),
            maxpool_3a=nn.MaxPool2d(3, stride=2),
            conv2d_3b=Convolution(64, 80, 1),
            conv2d_4a=Convolution(80, 192, 3),
            conv2d_4b=Convolution(192, 256, 3, stride=2),
            repeat_1=nn.Sequential(*(block35() for _ in range(5))),
            mixed_6a=mixed_6a,  # (N, 896, h, w)
            repeat_2=nn.Sequential(*(block17() for _ in range(10))),
            mixed_7a=mixed_7a,  # (N, 1792, h, w)
        )
    )
