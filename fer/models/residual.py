"""Residual networks for small images (He et al. 2016), with what later work put into their blocks."""

from torch import Tensor, nn

from fer.emotions import Emotion
from fer.models.plain import Layers, initialised

REDUCTION = 16  # Hu et al. 2018, table 10


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (N, inputs, H, W) -> (N, filters, H/stride, W/stride).

    With `blur_pooling` a stride is a step of one, then a blur that keeps every other pixel.
    """

    def __init__(self, inputs: int, filters: int, stride: int, layers: Layers, *, dropped: float) -> None:
        super().__init__()
        blurred = layers.blur_pooling and stride > 1
        step = 1 if blurred else stride
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, filters, 3, step, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            *([BlurPool2d()] if blurred else []),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            *branch_end(filters, layers, dropped),
        )
        projection = [nn.Conv2d(inputs, filters, 1, step, bias=False), nn.BatchNorm2d(filters)]
        changed = stride > 1 or inputs != filters
        self.shortcut = nn.Sequential(*([BlurPool2d()] if blurred else []), *(projection if changed else []))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.relu(self.residual(maps) + self.shortcut(maps))
        return result


def branch_end(filters: int, layers: Layers, dropped: float) -> list[nn.Module]:
    """Squeeze and excitation (Hu et al. 2018), then stochastic depth (Huang et al. 2016), where asked for."""
    if not (layers.squeeze_excitation or dropped):
        return []
    from torchvision.ops import SqueezeExcitation, StochasticDepth  # noqa: PLC0415 - as in fer/models/pretrained.py

    gates = [SqueezeExcitation(filters, max(4, filters // REDUCTION))] if layers.squeeze_excitation else []
    return [*gates, *([StochasticDepth(dropped, "row")] if dropped else [])]


class BlurPool2d(nn.Sequential):
    """Every other pixel after a 3x3 binomial filter, the image's edge repeated (Zhang 2019).

    1 2 1 is 1 1 twice, and a mean of pixels inside the image alone repeats the edge: two average pools, which are
    deterministic on every device, as neither a padding that mirrors nor one that repeats is.
    """

    def __init__(self) -> None:
        super().__init__(nn.AvgPool2d(2, 1, padding=1, count_include_pad=False), nn.AvgPool2d(2, 2))


def residual(layers: Layers, _side: int, *, blocks: tuple[int, ...], filters: tuple[int, ...]) -> nn.Sequential:
    """A 3x3 stem with step one, so many basic blocks a stage, the mean over space, dropout, seven scores.

    (N, 1, side, side) -> (N, 7). Each stage but the first halves the side.
    """
    inputs = layers.filters(filters[0])
    stem = [nn.Conv2d(1, inputs, 3, padding=1, bias=False), nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    stages: list[nn.Module] = []
    depth = sum(blocks)
    for stage, (count, wide) in enumerate(zip(blocks, map(layers.filters, filters), strict=True)):
        for place in range(count):
            stride = 2 if stage and place == 0 else 1
            dropped = layers.stochastic_depth * (len(stages) + 1) / depth
            stages.append(BasicBlock(inputs, wide, stride, layers, dropped=dropped))
            inputs = wide
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *layers.drop(), nn.Linear(inputs, len(Emotion))]
    return initialised(nn.Sequential(*stem, *stages, *head))
