"""Residual networks for small images (He et al. 2016), with what later work put into their blocks."""

from torch import Tensor, nn

from fer.config.network import Resnet
from fer.constants import Emotion
from fer.models.plain import drop, initialised, widened

REDUCTION = 16  # Hu et al. 2018, table 10


def resnet(network: Resnet) -> nn.Sequential:
    """Return a 3x3 stem with step one, so many basic blocks a stage, the mean over space, dropout, logits.

    (N, 1, side, side) -> (N, 7). Each stage but the first halves the side.
    """
    inputs = widened(network.filters[0], network.width)
    stem = [nn.Conv2d(1, inputs, 3, padding=1, bias=False), nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    blocks: list[nn.Module] = []
    for stage, (count, filters) in enumerate(zip(network.blocks, network.filters, strict=True)):
        wide = widened(filters, network.width)
        for place in range(count):
            dropped = network.stochastic_depth * (len(blocks) + 1) / sum(network.blocks)
            blocks.append(BasicBlock(inputs, wide, 2 if stage and place == 0 else 1, network, dropped=dropped))
            inputs = wide
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *drop(network.dropout), nn.Linear(inputs, len(Emotion))]
    return initialised(nn.Sequential(*stem, *blocks, *head))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (N, inputs, H, W) -> (N, filters, H/stride, W/stride).

    With `blur_pooling` a stride is a step of one, then a blur that keeps every other pixel. `dropped` is stochastic
    depth's probability for this block.
    """

    def __init__(self, inputs: int, filters: int, stride: int, network: Resnet, *, dropped: float) -> None:
        super().__init__()
        blurred = network.blur_pooling and stride > 1
        step = 1 if blurred else stride
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, filters, 3, step, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            *([BlurPool2d()] if blurred else []),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            *branch_end(filters, squeeze_excitation=network.squeeze_excitation, dropped=dropped),
        )
        projection = [nn.Conv2d(inputs, filters, 1, step, bias=False), nn.BatchNorm2d(filters)]
        changed = stride > 1 or inputs != filters
        self.shortcut = nn.Sequential(*([BlurPool2d()] if blurred else []), *(projection if changed else []))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.relu(self.residual(maps) + self.shortcut(maps))
        return result


def branch_end(filters: int, *, squeeze_excitation: bool, dropped: float) -> list[nn.Module]:
    """Return squeeze and excitation (Hu et al. 2018), then stochastic depth (Huang et al. 2016), where asked for."""
    if not (squeeze_excitation or dropped):
        return []
    from torchvision.ops import SqueezeExcitation, StochasticDepth  # noqa: PLC0415 - as in fer/models/pretrained.py

    gates = [SqueezeExcitation(filters, max(4, filters // REDUCTION))] if squeeze_excitation else []
    return [*gates, *([StochasticDepth(dropped, "row")] if dropped else [])]


class BlurPool2d(nn.Sequential):
    """Every other pixel after a 3x3 binomial filter, the image's edge repeated (Zhang 2019).

    1 2 1 is 1 1 twice, and a mean of pixels inside the image alone repeats the edge: two average pools, which are
    deterministic on every device, as neither a padding that mirrors nor one that repeats is.
    """

    def __init__(self) -> None:
        super().__init__(nn.AvgPool2d(2, 1, padding=1, count_include_pad=False), nn.AvgPool2d(2, 2))

    def forward(self, maps: Tensor) -> Tensor:
        if maps.device.type == "cuda":  # torch before July 2026 has a wrong gradient for channels_last (pytorch#188344)
            maps = maps.contiguous()
        result: Tensor = super().forward(maps)  # type: ignore[no-untyped-call]
        return result
