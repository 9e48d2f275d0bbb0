"""Every network of the reports: one row each, with its source, what the report leaves open, and its size."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from fer.errors import UserError
from fer.models import plain


@dataclass(frozen=True)
class Row:
    """A network: how it is built, where it comes from, what was chosen where the source is silent."""

    build: Callable[[], nn.Module]
    source: str
    left_open: str
    parameters: int


MODELS: dict[str, Row] = {
    "cs231n_baseline": Row(
        build=plain.cs231n_baseline,
        source="report 000, baseline: 5x5 conv, ReLU, 2x2 max-pool, affine, ReLU, affine, softmax",
        left_open="filters (32), hidden units (200), initialisation (He)",
        parameters=3_688_839,
    ),
    "cs231n": Row(
        build=plain.cs231n,
        source="report 000, best network: 32, 64, 96, 128 filters of 3x3 with batch norm, ReLU, pool; hidden 200",
        left_open="initialisation (He); no bias before batch normalisation",
        parameters=417_255,
    ),
    "le_shallow": Row(
        build=partial(plain.le, blocks=((64, 3), (128, 5)), hidden=(256,)),
        source="report 001, shallow: conv 64 3x3, conv 128 5x5, each norm, ReLU, pool, dropout 0.25; hidden 256",
        left_open="padding (same), norm and dropout of the hidden layer (as the convolutions'), initialisation (He)",
        parameters=4_926_919,
    ),
    "le_deep": Row(
        build=partial(plain.le, blocks=((64, 3), (128, 5), (512, 3), (512, 3)), hidden=(256, 512)),
        source="report 001, deep: the shallow one's two, two of 512 3x3; hidden 256 and 512",
        left_open="padding (same), norm and dropout of the hidden layers (as the convolutions'), initialisation (He)",
        parameters=4_473_543,
    ),
    "tuwani": Row(
        build=plain.tuwani,
        source="report 002: 3x3 valid convs 16,16,32,32,64,64 with norm, pool and dropout a pair; hidden 256; "
        "141,303 parameters in Keras's count, which has the 960 running statistics too",
        left_open="dropout rate (0.25), initialisation (He)",
        parameters=140_343,
    ),
    "lausanne_cnn1": Row(
        build=partial(plain.lausanne, filters=(32, 64), hidden=(128,)),
        source="Lausanne report, CNN1: two convolutions with ReLU and max-pool, two fully connected layers",
        left_open="filters (32, 64 of 3x3), hidden units (128), initialisation (He)",
        parameters=1_199_495,
    ),
    "lausanne_cnn2": Row(
        build=partial(plain.lausanne, filters=(32, 64, 128), hidden=(256, 128)),
        source="Lausanne report, CNN2: one more convolution with max-pool, one more fully connected layer",
        left_open="filters (32, 64, 128 of 3x3), hidden units (256, 128), initialisation (He)",
        parameters=1_306_375,
    ),
}


def require_networks(systems: dict[str, str]) -> None:
    """Raises UserError for a system whose network has no row; `systems` maps a system's name to its network's."""
    for system, model in systems.items():
        if model not in MODELS:
            raise UserError(f"params.yaml: systems.{system}.model={model}: no such network; known: {', '.join(MODELS)}")


def build(name: str) -> nn.Module:
    """A fresh network by its row's name. Raises KeyError."""
    return MODELS[name].build()
