"""Optimizers by name, with weight decay on weights alone and a learning rate of its own for a backbone."""

from typing import Any

from torch import nn, optim

from fer.config.run import RunConfig


def build_optimizer(config: RunConfig, network: nn.Module) -> optim.Optimizer:
    """Return the optimizer over all parameters of `network`, frozen ones too: they have no gradient until unfrozen.

    Weight decay is L2, added to the gradient of weight matrices and filters, not of biases and batch normalisation.
    Every group has an `lr_factor`: its learning rate is the step's times this, less than one for a backbone.
    """
    backbone = {name for name, _ in network.named_parameters() if ".backbone." in f".{name}"}
    groups = [
        {
            "params": [
                parameter
                for name, parameter in network.named_parameters()
                if (name in backbone) == pretrained and (parameter.ndim > 1) == decayed
            ],
            "weight_decay": config.weight_decay if decayed else 0.0,
            "lr_factor": config.transfer.backbone_lr if pretrained else 1.0,
        }
        for pretrained in (False, True)
        for decayed in (True, False)
    ]
    return by_name(config, [group for group in groups if group["params"]])


def by_name(config: RunConfig, groups: list[dict[str, Any]]) -> optim.Optimizer:
    lr = config.lr
    if config.optimizer == "adam":
        return optim.Adam(groups, lr=lr, fused=True)
    if config.optimizer == "sgd":
        return optim.SGD(groups, lr=lr, momentum=config.momentum, nesterov=config.nesterov, fused=True)
    if config.optimizer == "adagrad":
        return optim.Adagrad(groups, lr=lr, foreach=True)
    return optim.RMSprop(groups, lr=lr, foreach=True)


def set_lr(optimizer: optim.Optimizer, lr: float) -> None:
    """Set the next step's learning rate; each group's is its share of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_factor"]
