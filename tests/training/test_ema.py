"""EMA on sequences with known answers."""

import pytest
import torch
from torch import nn

from fer.training.ema import Ema


def network(value: float) -> nn.Module:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module


def followed(ema: Ema, module: nn.Module, value: float) -> float:
    """Return the average after the network's weight has become `value`."""
    nn.init.constant_(module.weight, value)  # type: ignore[arg-type]
    ema.update()
    parameter = ema.network.weight
    assert isinstance(parameter, torch.Tensor)
    return parameter.item()


def test_a_known_sequence() -> None:
    """decay 0.2: the first updates' own decays are 2/11 and 3/12, so that the second is cut at 0.2."""
    module = network(1.0)
    ema = Ema(module, 0.2)
    first = followed(ema, module, 5.0)
    assert first == pytest.approx(2 / 11 * 1 + 9 / 11 * 5)
    assert followed(ema, module, -3.0) == pytest.approx(0.2 * first + 0.8 * -3)


def test_after_many_updates_the_decay_is_the_given_one() -> None:
    module = network(0.0)
    ema = Ema(module, 0.9)
    for _ in range(200):
        followed(ema, module, 0.0)
    for step in range(1, 6):
        assert followed(ema, module, 1.0) == pytest.approx(1 - 0.9**step)


def test_statistics_are_averaged_and_the_trained_network_is_left_alone() -> None:
    norm = nn.BatchNorm1d(2)
    ema = Ema(norm, 0.5)
    assert norm.running_mean is not None
    norm.running_mean.copy_(torch.tensor([2.0, 4.0]))
    ema.update()
    assert isinstance(ema.network.running_mean, torch.Tensor)
    torch.testing.assert_close(ema.network.running_mean, torch.tensor([2.0, 4.0]) * 9 / 11)
    assert torch.equal(norm.running_mean, torch.tensor([2.0, 4.0]))
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
    assert all(parameter.requires_grad for parameter in norm.parameters())


def test_its_state_goes_on() -> None:
    one, other = network(1.0), network(7.0)
    first, second = Ema(one, 0.9), Ema(other, 0.9)
    followed(first, one, 2.0)
    second.load_state_dict(first.state_dict())
    assert followed(first, one, 3.0) == followed(second, other, 3.0)
