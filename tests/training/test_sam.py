"""Sharpness-aware minimisation on a quadratic, whose gradient anywhere is known."""

import pytest
import torch
from torch import nn

from fer.training.optimizers import build_optimizer
from fer.training.sam import climbed
from tests.runs import toy_config

CURVATURE = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
START = torch.tensor([1.0, -2.0])


def quadratic() -> tuple[nn.ParameterList, torch.Tensor]:
    """w, and the gradient CURVATURE @ w of w' CURVATURE w / 2 there."""
    network = nn.ParameterList([nn.Parameter(START.clone())])
    return network, CURVATURE @ START


def descend(network: nn.ParameterList) -> None:
    network.zero_grad()
    (network[0] @ CURVATURE @ network[0] / 2).backward()


@pytest.mark.parametrize("rho", [0.05, 0.5, 3.0])
def test_the_gradient_is_that_of_the_point_above(rho: float) -> None:
    network, slope = quadratic()
    descend(network)
    with climbed(network, rho):
        torch.testing.assert_close(network[0].data, START + rho * slope / slope.norm())
        descend(network)
    assert torch.equal(network[0].data, START)
    torch.testing.assert_close(network[0].grad, CURVATURE @ (START + rho * slope / slope.norm()))


def test_a_step_of_sgd_then_is_the_papers_equation_3() -> None:
    network, slope = quadratic()
    settings = toy_config(optimizer="sgd", momentum=0.0, lr=0.1, weight_decay=0.0)
    optimizer = build_optimizer(settings, network)
    descend(network)
    with climbed(network, 0.5):
        descend(network)
    optimizer.step()
    torch.testing.assert_close(network[0].data, START - 0.1 * CURVATURE @ (START + 0.5 * slope / slope.norm()))


def test_the_norm_is_over_all_weights_and_frozen_ones_stay() -> None:
    network = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(3)])
    network[0].grad, network[1].grad = torch.tensor([3.0]), torch.tensor([4.0])
    with climbed(network, 1.0):
        assert [parameter.item() for parameter in network] == pytest.approx([0.6, 0.8, 0.0])


def test_statistics_do_not_move_on_the_way() -> None:
    norm = nn.BatchNorm1d(3)
    network = nn.Sequential(nn.Linear(2, 3), norm)
    images = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    network(images).square().sum().backward()
    before = [statistic.clone() for statistic in norm.buffers()]  # mean, variance, batches seen
    with pytest.raises(KeyboardInterrupt), climbed(network, 0.1):
        network(images * 5)
        raise KeyboardInterrupt
    assert all(map(torch.equal, norm.buffers(), before))
    network(images * 5)
    assert not any(map(torch.equal, norm.buffers(), before))
