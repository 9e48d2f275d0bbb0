"""Optimisers by name, with L2 on weights alone and a rate of its own for a backbone."""

from typing import Any

from torch import nn, optim

from fer.recipe import Recipe


def build_optimiser(recipe: Recipe, network: nn.Module) -> optim.Optimizer:
    """The recipe's optimiser over all parameters of `network`, frozen ones too: they have no gradient until thawed.

    L2 is added to the gradient of weight matrices and filters, not of biases and batch normalisation. Every group has a
    `rate_factor`: its rate is the recipe's times this, and less than one for a pretrained backbone.
    """
    backbone = {name for name, _ in network.named_parameters() if ".backbone." in f".{name}"}
    groups = [
        {
            "params": [
                parameter
                for name, parameter in network.named_parameters()
                if (name in backbone) == pretrained and (parameter.ndim > 1) == decayed
            ],
            "weight_decay": recipe.l2 if decayed else 0.0,
            "rate_factor": recipe.backbone_rate if pretrained else 1.0,
        }
        for pretrained in (False, True)
        for decayed in (True, False)
    ]
    return by_name(recipe, [group for group in groups if group["params"]])


def by_name(recipe: Recipe, groups: list[dict[str, Any]]) -> optim.Optimizer:
    rate = recipe.learning_rate
    if recipe.optimiser == "adam":
        return optim.Adam(groups, lr=rate, fused=True)
    if recipe.optimiser == "sgd":
        return optim.SGD(groups, lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
    if recipe.optimiser == "adagrad":
        return optim.Adagrad(groups, lr=rate, foreach=True)
    return optim.RMSprop(groups, lr=rate, foreach=True)


def set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    """The next step's rate; each group's is its share of it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate_factor"]
