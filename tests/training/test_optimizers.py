"""Optimizers by name: weight decay acts on weights alone, a backbone has a learning rate of its own."""

import pytest
import torch
from torch import nn

from fer.training.optimizers import build_optimizer
from tests.runs import toy_config

NAMES = ["adam", "sgd", "adagrad", "rmsprop"]


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_reaches_weights_and_not_biases(name: str) -> None:
    affine, norm = nn.Linear(3, 2), nn.BatchNorm1d(2)
    network = nn.Sequential(affine, norm)
    nn.init.ones_(affine.weight)
    nn.init.ones_(affine.bias)
    optimizer = build_optimizer(toy_config(optimizer=name, lr=0.1, weight_decay=0.5), network)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert (affine.weight < 1).all()
    assert (affine.bias == 1).all()
    assert (norm.weight == 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_torchs(name: str) -> None:
    ours, torchs = torch.ones(3, 3, requires_grad=True), torch.ones(3, 3, requires_grad=True)
    network = nn.ParameterList([ours])
    kind = {"adam": "Adam", "sgd": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop"}[name]
    plain = getattr(torch.optim, kind)([torchs], lr=0.1, **({"momentum": 0.8} if name == "sgd" else {}))
    optimizer = build_optimizer(toy_config(optimizer=name, lr=0.1, weight_decay=0.0, momentum=0.8), network)
    for step in range(3):
        ours = next(network.parameters())
        ours.grad = torchs.grad = torch.full((3, 3), 0.3 + step)
        optimizer.step()
        plain.step()
    torch.testing.assert_close(ours.data, torchs.data)


class WithBackbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)


def test_a_backbone_has_its_share_of_the_rate() -> None:
    network = nn.ModuleDict({"network": WithBackbone()})
    groups = build_optimizer(toy_config(transfer={"backbone_lr": 0.1}), network).param_groups
    factors = {id(parameter): group["lr_factor"] for group in groups for parameter in group["params"]}
    assert {factors[id(parameter)] for parameter in network["network"].backbone.parameters()} == {0.1}  # type: ignore[union-attr]
    assert {factors[id(parameter)] for parameter in network["network"].head.parameters()} == {1.0}  # type: ignore[union-attr]
    assert len(factors) == 4


def test_a_frozen_parameter_stays_until_it_is_unfrozen() -> None:
    network = nn.Linear(3, 2)
    network.weight.requires_grad_(False)
    optimizer = build_optimizer(toy_config(optimizer="adam", weight_decay=0.1), network)
    before = network.weight.clone()
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert torch.equal(network.weight, before)
    network.weight.requires_grad_(True)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert not torch.equal(network.weight, before)
