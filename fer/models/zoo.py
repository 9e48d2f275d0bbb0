"""Every network of the reports: one row each, with its source, what the report leaves open, and its size."""

from collections.abc import Callable
from dataclasses import dataclass

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
}


def require_networks(systems: dict[str, str]) -> None:
    """Raises UserError for a system whose network has no row; `systems` maps a system's name to its network's."""
    for system, model in systems.items():
        if model not in MODELS:
            raise UserError(f"params.yaml: systems.{system}.model={model}: no such network; known: {', '.join(MODELS)}")


def build(name: str) -> nn.Module:
    """A fresh network by its row's name. Raises KeyError."""
    return MODELS[name].build()
