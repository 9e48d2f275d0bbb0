"""Plain convolutional networks: layers one after another."""

from typing import Literal

from torch import nn

from fer.config.network import ConvPairs, Stack, Vgg
from fer.constants import Emotion
from fer.models.pooling import FractionalMaxPool2d

Pooling = Literal["max", "fractional"]


def stack(network: Stack, side: int) -> nn.Sequential:
    """Return reports 000's, 001's and Lausanne's kind of network: (N, 1, side, side) -> (N, 7).

    Batch normalisation takes a convolution's bias away again, so it has none. The pool stands before the ReLU: both
    are monotone, the function is the same, and the ReLU has a quarter of the work.
    """
    layers: list[nn.Module] = []
    inputs = 1
    for filters, kernel in zip(network.filters, network.kernels, strict=True):
        layers += [
            nn.Conv2d(inputs, filters, kernel, padding=kernel // 2, bias=not network.batch_norm),  # (N, filters, H, W)
            *([nn.BatchNorm2d(filters)] if network.batch_norm else []),
            pool(network.pooling),  # (N, filters, H/2, W/2)
            nn.ReLU(inplace=True),
            *drop(network.dropout),
        ]
        inputs, side = filters, pooled(side, network.pooling)
    dense = affine(inputs * side * side, network.hidden, batch_norm=network.batch_norm_hidden, dropout=network.dropout)
    return initialised(nn.Sequential(*layers, nn.Flatten(), *dense))


def conv_pairs(network: ConvPairs, side: int) -> nn.Sequential:
    """Return report 002's network: (N, 1, side, side) -> (N, 7).

    Convolutions keep their bias: only so is the size the report's, 140,343 trainable parameters.
    """
    layers: list[nn.Module] = []
    inputs = 1
    for filters in network.filters:
        for _ in range(2):
            norm = [nn.BatchNorm2d(filters)] if network.batch_norm else []
            layers += [nn.Conv2d(inputs, filters, network.kernel), *norm, nn.ReLU(inplace=True)]
            inputs = filters
        layers += [pool(network.pooling), *drop(network.dropout)]  # report 002: sides 22, 9, 2
        side = pooled(side - 2 * (network.kernel - 1), network.pooling)
    dense = affine(inputs * side * side, network.hidden, batch_norm=network.batch_norm, dropout=network.dropout)
    return initialised(nn.Sequential(*layers, nn.Flatten(), *dense))


def vgg(network: Vgg) -> nn.Sequential:
    """Return blocks of 3x3 convolutions (Simonyan and Zisserman 2015), the mean over space, dropout, logits.

    (N, 1, side, side) -> (N, 7), for any side that the pools leave a pixel of.
    """
    layers: list[nn.Module] = []
    inputs = 1
    for count, filters in zip(network.convolutions, network.filters, strict=True):
        wide = widened(filters, network.width)
        for _ in range(count):
            norm = [nn.BatchNorm2d(wide)] if network.batch_norm else []
            layers += [
                nn.Conv2d(inputs, wide, 3, padding=1, bias=not network.batch_norm),
                *norm,
                nn.ReLU(inplace=True),
            ]
            inputs = wide
        layers.append(nn.MaxPool2d(2))
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *drop(network.dropout), nn.Linear(inputs, len(Emotion))]
    return initialised(nn.Sequential(*layers, *tail))


def affine(inputs: int, hidden: tuple[int, ...], *, batch_norm: bool, dropout: float) -> list[nn.Module]:
    """Return hidden layers, each with ReLU and dropout, then seven logits: (N, inputs) -> (N, 7)."""
    layers: list[nn.Module] = []
    for units in hidden:
        norm = [nn.BatchNorm1d(units)] if batch_norm else []
        layers += [nn.Linear(inputs, units), *norm, nn.ReLU(inplace=True), *drop(dropout)]  # (N, units)
        inputs = units
    return [*layers, nn.Linear(inputs, len(Emotion))]  # (N, 7)


def pool(kind: Pooling) -> nn.Module:
    return nn.MaxPool2d(2) if kind == "max" else FractionalMaxPool2d()


def pooled(side: int, kind: Pooling) -> int:
    return side // 2 if kind == "max" else FractionalMaxPool2d.output_side(side)


def drop(rate: float) -> list[nn.Module]:
    return [nn.Dropout(rate)] if rate else []


def widened(filters: int, width: float) -> int:
    """Return `filters` at a width of 1; a multiple of 8 otherwise, which processors like."""
    return filters if width == 1 else max(8, round(filters * width / 8) * 8)


def initialised(network: nn.Sequential) -> nn.Sequential:
    """He et al. 2015, equation 10, for every convolution and affine layer; biases zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
