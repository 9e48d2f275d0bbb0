"""EMA on sequences with known answers."""

import pytest
import torch
from torch import nn

from fer.training.ema import Ema


def network(value: float) -> nn.Module:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module


def weight(ema: Ema) -> float:
    parameter = ema.network.weight
    assert isinstance(parameter, torch.Tensor)
    return parameter.item()


def test_a_known_sequence() -> None:
    """decay 0.2: the first updates' own decays are 2/11 and 3/12, so that the second is cut at 0.2."""
    ema = Ema(network(1.0), 0.2)
    ema.update(network(5.0))
    assert weight(ema) == pytest.approx(2 / 11 * 1 + 9 / 11 * 5)
    first = weight(ema)
    ema.update(network(-3.0))
    assert weight(ema) == pytest.approx(0.2 * first + 0.8 * -3)


def test_after_many_updates_the_decay_is_the_given_one() -> None:
    ema = Ema(network(0.0), 0.9)
    for _ in range(200):
        ema.update(network(0.0))
    for step in range(1, 6):
        ema.update(network(1.0))
        assert weight(ema) == pytest.approx(1 - 0.9**step)


def test_statistics_are_averaged_and_the_trained_network_is_left_alone() -> None:
    norm = nn.BatchNorm1d(2)
    ema = Ema(norm, 0.5)
    norm.running_mean = torch.tensor([2.0, 4.0])
    ema.update(norm)
    assert isinstance(ema.network.running_mean, torch.Tensor)
    torch.testing.assert_close(ema.network.running_mean, torch.tensor([2.0, 4.0]) * 9 / 11)
    assert torch.equal(norm.running_mean, torch.tensor([2.0, 4.0]))
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
    assert all(parameter.requires_grad for parameter in norm.parameters())


def test_its_state_goes_on() -> None:
    first, second = Ema(network(1.0), 0.9), Ema(network(7.0), 0.9)
    first.update(network(2.0))
    second.load_state_dict(first.state_dict())
    for ema in (first, second):
        ema.update(network(3.0))
    assert weight(first) == weight(second)
