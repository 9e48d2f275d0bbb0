"""Plain convolutional networks: layers one after another."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from fer.emotions import Emotion
from fer.models.pooling import FractionalMaxPool2d

Pooling = Literal["max", "fractional"]


@dataclass(frozen=True)
class Layers:
    """What stands around the convolutions and affine layers of a network; each report made its own choice.

    Attributes:
        batch_norm: a batch normalisation after each convolution (report 000 found it worth most).
        dropout: probability after each pool and each hidden layer; 0 leaves the layer out.
        pooling: `max` halves the side; `fractional` divides it by the square root of two (Graham 2015).
        width: factor on the number of filters.
        squeeze_excitation: channels weighed by what all of the image says (Hu et al. 2018), in residual networks.
        stochastic_depth: probability that the last block is left out for an image in training; it grows with depth
            from the first block on (Huang et al. 2016), in residual networks.
        blur_pooling: a blur before every other pixel is left out (Zhang 2019), in residual networks.
    """

    batch_norm: bool = True
    dropout: float = 0.0
    pooling: Pooling = "max"
    width: float = 1.0
    squeeze_excitation: bool = False
    stochastic_depth: float = 0.0
    blur_pooling: bool = False

    def filters(self, count: int) -> int:
        """`count` at a width of 1; a multiple of 8 otherwise, which processors like."""
        return count if self.width == 1 else max(8, round(count * self.width / 8) * 8)

    def pool(self) -> nn.Module:
        return nn.MaxPool2d(2) if self.pooling == "max" else FractionalMaxPool2d()

    def pooled(self, side: int) -> int:
        return side // 2 if self.pooling == "max" else FractionalMaxPool2d.output_side(side)

    def drop(self) -> list[nn.Module]:
        return [nn.Dropout(self.dropout)] if self.dropout else []


def convolution(inputs: int, filters: int, kernel: int, layers: Layers) -> list[nn.Module]:
    """Convolution, batch normalisation, pool, ReLU, dropout: (N, inputs, H, W) -> (N, filters, H/2, W/2).

    Batch normalisation takes the convolution's bias away again, so it has none. The pool stands before the ReLU:
    both are monotone, the function is the same, and the ReLU has a quarter of the work.
    """
    return [
        nn.Conv2d(inputs, filters, kernel, padding=kernel // 2, bias=not layers.batch_norm),  # (N, filters, H, W)
        *([nn.BatchNorm2d(filters)] if layers.batch_norm else []),
        layers.pool(),  # (N, filters, H/2, W/2)
        nn.ReLU(inplace=True),
        *layers.drop(),
    ]


def affine(inputs: int, hidden: tuple[int, ...], layers: Layers, *, batch_norm: bool) -> list[nn.Module]:
    """Hidden layers, each with ReLU and dropout, then seven scores: (N, inputs) -> (N, 7)."""
    result: list[nn.Module] = []
    for units in hidden:
        norm = [nn.BatchNorm1d(units)] if batch_norm else []
        result += [nn.Linear(inputs, units), *norm, nn.ReLU(inplace=True), *layers.drop()]  # (N, units)
        inputs = units
    return [*result, nn.Linear(inputs, len(Emotion))]  # (N, 7)


def stack(
    layers: Layers, side: int, *, blocks: tuple[tuple[int, int], ...], hidden: tuple[int, ...], norm_hidden: bool
) -> nn.Sequential:
    """A convolution for each (filters, kernel) of `blocks`, then affine layers: reports 000, 001 and Lausanne.

    (N, 1, side, side) -> (N, 7). With `norm_hidden` the hidden layers are normalised as the convolutions are.
    """
    result: list[nn.Module] = []
    inputs = 1
    for filters, kernel in blocks:
        result += convolution(inputs, filters, kernel, layers)
        inputs, side = filters, layers.pooled(side)
    norm = layers.batch_norm and norm_hidden
    return initialised(
        nn.Sequential(*result, nn.Flatten(), *affine(inputs * side * side, hidden, layers, batch_norm=norm))
    )


def vgg(layers: Layers, _side: int, *, blocks: tuple[tuple[int, ...], ...]) -> nn.Sequential:
    """Blocks of 3x3 convolutions with norm and ReLU, a pool after each; the mean over space, dropout, seven scores.

    (N, 1, side, side) -> (N, 7), for any side that the pools leave a pixel of.
    """
    result: list[nn.Module] = []
    inputs = 1
    for block in blocks:
        for filters in map(layers.filters, block):
            norm = [nn.BatchNorm2d(filters)] if layers.batch_norm else []
            bias = not layers.batch_norm
            result += [nn.Conv2d(inputs, filters, 3, padding=1, bias=bias), *norm, nn.ReLU(inplace=True)]
            inputs = filters
        result.append(nn.MaxPool2d(2))
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *layers.drop(), *affine(inputs, (), layers, batch_norm=False)]
    return initialised(nn.Sequential(*result, *tail))


def tuwani(
    layers: Layers, side: int, *, pairs: tuple[int, ...] = (16, 32, 64), hidden: tuple[int, ...] = (256,)
) -> nn.Sequential:
    """Report 002's network: pairs of valid 3x3 convolutions, each with norm and ReLU; after a pair pool and dropout.

    (N, 1, side, side) -> (N, 7). Convolutions keep their bias: only so is the size the report's, 140,343 trainable.
    """
    result: list[nn.Module] = []
    inputs = 1
    for filters in pairs:
        for _ in range(2):
            norm = [nn.BatchNorm2d(filters)] if layers.batch_norm else []
            result += [nn.Conv2d(inputs, filters, 3), *norm, nn.ReLU(inplace=True)]
            inputs = filters
        result += [layers.pool(), *layers.drop()]  # (N, 16, 22, 22), (N, 32, 9, 9), (N, 64, 2, 2)
        side = layers.pooled(side - 4)
    tail = affine(inputs * side * side, hidden, layers, batch_norm=layers.batch_norm)
    return initialised(nn.Sequential(*result, nn.Flatten(), *tail))


def initialised(network: nn.Sequential) -> nn.Sequential:
    """He et al. 2015, equation 10, for every convolution and affine layer; biases zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
