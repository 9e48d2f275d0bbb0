"""Optimisers by name: L2 acts on weights alone."""

import pytest
import torch
from torch import nn

from fer.training.optimisers import build_optimiser


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_l2_reaches_weights_and_not_biases(name: str) -> None:
    affine, norm = nn.Linear(3, 2), nn.BatchNorm1d(2)
    network = nn.Sequential(affine, norm)
    nn.init.ones_(affine.weight)
    nn.init.ones_(affine.bias)
    optimiser = build_optimiser(name, network, learning_rate=0.1, l2=0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    assert (affine.weight < 1).all()
    assert (affine.bias == 1).all()
    assert (norm.weight == 1).all()


def test_frozen_parameters_are_left_out() -> None:
    network = nn.Linear(3, 2).requires_grad_(False)
    network.bias.requires_grad_(True)
    groups = build_optimiser("adam", network, learning_rate=0.1, l2=0.0).param_groups
    assert [len(group["params"]) for group in groups] == [0, 1]


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="optimiser=lion: no such name; known: adam, sgd"):
        build_optimiser("lion", nn.Linear(2, 2), learning_rate=0.1, l2=0.0)
