"""Optimisers by name, with L2 on weights alone."""

from torch import nn, optim


def build_optimiser(name: str, network: nn.Module, *, learning_rate: float, l2: float) -> optim.Optimizer:
    """`l2` is added to the gradient of weight matrices and filters, not of biases and batch normalisation."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": l2},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    if name == "adam":
        return optim.Adam(groups, lr=learning_rate, fused=True)
    if name == "sgd":
        return optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, fused=True)
    raise ValueError(f"optimiser={name}: no such name; known: adam, sgd")
