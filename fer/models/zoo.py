"""Every network of the reports: one row each, with its source, what the report leaves open, and its size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fer.emotions import IMAGE_SIZE
from fer.errors import UserError
from fer.models.plain import Layers, stack, tuwani, vgg
from fer.models.pretrained import BACKBONES, Transferred
from fer.models.residual import residual
from fer.models.weights import WEIGHTS


@dataclass(frozen=True)
class Row:
    """A network: how it is built, where it comes from, what was chosen where the source is silent.

    Attributes:
        build: from its layers and the input's side in pixels.
        layers: batch normalisation, dropout and pooling as the source has them; a system may change them.
        parameters: with those layers, at 48x48.
        architecture: of the backbone, for a network that may start from pretrained weights.
        takes: which of the layers a system may change.
        smallest: side of the smallest input, in pixels.
    """

    build: Callable[[Layers, int], nn.Module]
    layers: Layers
    source: str
    left_open: str
    parameters: int
    architecture: str | None = None
    takes: tuple[str, ...] = ("batch_norm", "dropout", "pooling")
    smallest: int = IMAGE_SIZE


def transferred(
    architecture: str,
    source: str,
    left_open: str,
    parameters: int,
    *,
    hidden: tuple[int, ...] = (),
    dropout: float = 0.0,
) -> Row:
    """A row for a backbone with a head of `hidden` layers; its size does not depend on the input's."""
    return Row(
        build=lambda layers, _side, **variant: Transferred(architecture, layers, hidden, **variant),
        layers=Layers(dropout=dropout),
        source=source,
        left_open=left_open,
        parameters=parameters,
        architecture=architecture,
        takes=("batch_norm", "dropout"),
        smallest=BACKBONES[architecture].smallest,
    )


MODELS: dict[str, Row] = {
    "cs231n_baseline": Row(
        build=partial(stack, blocks=((32, 5),), hidden=(200,), norm_hidden=False),
        layers=Layers(batch_norm=False),
        source="report 000, baseline: 5x5 conv, ReLU, 2x2 max-pool, affine, ReLU, affine, softmax",
        left_open="filters (32), hidden units (200), initialisation (He)",
        parameters=3_688_839,
    ),
    "cs231n": Row(
        build=partial(stack, blocks=((32, 3), (64, 3), (96, 3), (128, 3)), hidden=(200,), norm_hidden=False),
        layers=Layers(),
        source="report 000, best network: 32, 64, 96, 128 filters of 3x3 with batch norm, ReLU, pool; hidden 200",
        left_open="initialisation (He); no bias before batch normalisation",
        parameters=417_255,
        smallest=24,
    ),
    "le_shallow": Row(
        build=partial(stack, blocks=((64, 3), (128, 5)), hidden=(256,), norm_hidden=True),
        layers=Layers(dropout=0.25),
        source="report 001, shallow: conv 64 3x3, conv 128 5x5, each norm, ReLU, pool, dropout 0.25; hidden 256",
        left_open="padding (same), norm and dropout of the hidden layer (as the convolutions'), initialisation (He)",
        parameters=4_926_919,
    ),
    "le_deep": Row(
        build=partial(stack, blocks=((64, 3), (128, 5), (512, 3), (512, 3)), hidden=(256, 512), norm_hidden=True),
        layers=Layers(dropout=0.25),
        source="report 001, deep: the shallow one's two, two of 512 3x3; hidden 256 and 512",
        left_open="padding (same), norm and dropout of the hidden layers (as the convolutions'), initialisation (He)",
        parameters=4_473_543,
    ),
    "tuwani": Row(
        build=tuwani,
        layers=Layers(dropout=0.25),
        source="report 002: 3x3 valid convs 16,16,32,32,64,64 with norm, pool and dropout a pair; hidden 256; "
        "141,303 parameters in Keras's count, which has the 960 running statistics too",
        left_open="dropout rate (0.25), initialisation (He)",
        parameters=140_343,
    ),
    "lausanne_cnn1": Row(
        build=partial(stack, blocks=((32, 3), (64, 3)), hidden=(128,), norm_hidden=False),
        layers=Layers(batch_norm=False),
        source="Lausanne report, CNN1: two convolutions with ReLU and max-pool, two fully connected layers",
        left_open="filters (32, 64 of 3x3), hidden units (128), initialisation (He)",
        parameters=1_199_495,
    ),
    "lausanne_cnn2": Row(
        build=partial(stack, blocks=((32, 3), (64, 3), (128, 3)), hidden=(256, 128), norm_hidden=False),
        layers=Layers(batch_norm=False),
        source="Lausanne report, CNN2: one more convolution with max-pool, one more fully connected layer",
        left_open="filters (32, 64, 128 of 3x3), hidden units (256, 128), initialisation (He)",
        parameters=1_306_375,
    ),
    "resnet18_cifar": Row(
        build=partial(residual, blocks=(2, 2, 2, 2), filters=(64, 128, 256, 512)),
        layers=Layers(),
        source="He et al. 2016: ResNet-18 with a 3x3 stem and no pool after it, as for CIFAR's 32x32",
        left_open="input (44 to 64 pixels), initialisation (He)",
        parameters=11_171_271,
        takes=("dropout", "width", "squeeze_excitation", "stochastic_depth", "blur_pooling"),
        smallest=24,
    ),
    "vgg8": Row(
        build=partial(vgg, blocks=((64,), (128,), (256, 256), (512, 512), (512, 512))),
        layers=Layers(dropout=0.5),
        source="Simonyan and Zisserman 2015: configuration A (eight convolutions) with batch norm, no hidden layer",
        left_open="mean over space before the scores, dropout 0.5 there, initialisation (He)",
        parameters=9_225_671,
        takes=("batch_norm", "dropout", "width"),
        smallest=32,
    ),
    "vgg11_dense": transferred(
        "vgg11",
        "Lausanne report: VGG-11, convolutions frozen, dense layers trained",
        "units of the dense layers (512, 512) with batch norm, mean over space before them",
        9_750_279,
        hidden=(512, 512),
        dropout=0.5,
    ),
    "vgg16_linear": transferred(
        "vgg16",
        "Lausanne report: VGG-16, the three dense layers replaced by one to seven scores",
        "mean over space before it (at 48x48 the maps are 1x1)",
        14_717_127,
    ),
    "vgg16_dense": transferred(
        "vgg16",
        "the VGG report with VGGFace weights: own classifier with dropout",
        "units of the classifier (512) with batch norm, dropout 0.5, mean over space before it",
        14_980_807,
        hidden=(512,),
        dropout=0.5,
    ),
    "resnet50_dense": transferred(
        "resnet50",
        "the same report with ResNet-50",
        "units of the classifier (512) with batch norm, dropout 0.5",
        24_555_463,
        hidden=(512,),
        dropout=0.5,
    ),
    "face_inception": transferred(
        "inception_resnet_v1",
        "ours: Inception-ResNet-v1 up to mixed_7a, the classifier of the rows above",
        "-",
        13_881_543,
        hidden=(512,),
        dropout=0.5,
    ),
    "mobilenet_v2": transferred(
        "mobilenet_v2",
        "ours: MobileNetV2, small enough for a phone",
        "-",
        2_232_263,
        dropout=0.2,
    ),
}


def require_networks(systems: Mapping[str, Any]) -> None:
    """Raises UserError for a system whose network, layers, input size or weights no row has.

    `systems` maps a system's name to its settings (fer.params.System).
    """
    for system, settings in systems.items():
        if settings.model not in MODELS:
            refuse(system, "model", settings.model, f"no such network; known: {', '.join(MODELS)}")
        row = MODELS[settings.model]
        if settings.side < row.smallest:
            refuse(system, "input_size", settings.side, f"{settings.model} needs {row.smallest} at least")
        for name, value in settings.layers.changes().items():
            if name not in row.takes:
                refuse(system, f"layers.{name}", value, f"{settings.model} takes {', '.join(row.takes)}")
        if settings.weights is None:
            continue
        fitting = [name for name, weights in WEIGHTS.items() if weights.architecture == row.architecture]
        if settings.weights not in fitting:
            refuse(system, "weights", settings.weights, f"known for {settings.model}: {', '.join(fitting) or 'none'}")


def refuse(system: str, parameter: str, value: object, reason: str) -> NoReturn:
    raise UserError(f"params.yaml: systems.{system}.{parameter}={value}: {reason}")


def build(name: str, *, layers: Mapping[str, Any] | None = None, side: int = IMAGE_SIZE, **variant: Any) -> nn.Module:
    """A fresh network by its row's name: (N, 1, side, side) -> (N, 7).

    Args:
        layers: what the system changes in the row's Layers.
        variant: of a backbone, as its weights need it (`v1_strides`).

    Raises:
        KeyError: no such row.
    """
    row = MODELS[name]
    return row.build(replace(row.layers, **(layers or {})), side, **variant)


def layout(network: nn.Module) -> str:
    """Every layer with its settings: two networks with the same text differ in their weights at most."""
    return f"{network}\n{sum(parameter.numel() for parameter in network.parameters()):,} parameters\n"


@torch.inference_mode()
def count_flops(network: nn.Module, side: int) -> int:
    """Floating-point operations for one image, a multiplication and an addition counted as two."""
    network.eval()
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, side, side, device=device))
    return int(counter.get_total_flops())
