"""A network from its block in params.yaml (fer/config/network.py), and whether it takes what its run shows it."""

import warnings

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fer.config.network import Backbone, ConvPairs, Network, Stack, Vgg
from fer.config.run import RunConfig
from fer.constants import IMAGE_SIZE
from fer.errors import UserError
from fer.models.plain import conv_pairs, stack, vgg
from fer.models.pretrained import Transferred
from fer.models.residual import resnet


def build(network: Network, side: int) -> nn.Module:
    """Return a fresh network, grey images (N, 1, side, side) -> logits (N, 7)."""
    match network:
        case Stack():
            return stack(network, side)
        case ConvPairs():
            return conv_pairs(network, side)
        case Vgg():
            return vgg(network)
        case Backbone():
            return Transferred(network)
        case _:
            return resnet(network)


def input_side(input_size: int, crop: int | None) -> int:
    """Return the side of what the network takes, in pixels: the crop, unless it is scaled to another input size."""
    return crop or IMAGE_SIZE if input_size == IMAGE_SIZE else input_size


def check(system: str, config: RunConfig) -> None:
    """Raise UserError for a network that cannot take its input size, or options that it does not have."""
    network, transfer = config.network, config.transfer
    if not isinstance(network, Backbone):
        for option in ("trainable_stages", "unfreeze_every"):
            if getattr(transfer, option) is not None:
                refuse(
                    system,
                    f"transfer.{option}",
                    getattr(transfer, option),
                    "only a network of type backbone has stages",
                )
        if transfer.backbone_lr != 1:
            refuse(system, "transfer.backbone_lr", transfer.backbone_lr, "only a network of type backbone has one")
    elif network.v1_strides and network.backbone != "resnet50":
        refuse(system, "network.v1_strides", True, "only resnet50 has that variant")
    side = input_side(config.input_size, config.augment.crop)
    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):  # of layers without a weight
            build(network, side).eval()(torch.empty(2, 1, side, side))
    except (RuntimeError, ValueError, ZeroDivisionError):
        refuse(system, "input_size", config.input_size, f"images of {side} pixels are too small for its network")


def refuse(system: str, parameter: str, value: object, reason: str) -> None:
    raise UserError(f"params.yaml: systems.{system}.{parameter}={value}: {reason}")


@torch.inference_mode()
def count_flops(network: nn.Module, side: int) -> int:
    """Return the floating-point operations for one image, a multiplication and an addition counted as two."""
    network.eval()
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, side, side, device=device))
    return int(counter.get_total_flops())
