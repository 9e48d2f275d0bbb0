"""The rate of each step beside torch's own schedulers."""

import math
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from fer.config.run import RunConfig
from fer.training.loop import step_lrs
from fer.training.schedule import lr_at
from tests.runs import toy_config
from tests.training.test_loop import epoch

STEPS = 10  # an epoch


def scheduled(shape: Any, *, epochs: int = 6, **options: float) -> RunConfig:
    return toy_config(epochs=epochs, lr=0.2, lr_decay=1.0, schedule={"shape": shape, **options})


def ours(settings: RunConfig) -> list[float]:
    return [lr_at(settings, step, STEPS) for step in range(settings.epochs * STEPS)]


def torchs(make: Any, steps: int = 60) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.2)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_is_torchs() -> None:
    expected = torchs(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=59, eta_min=0.02))
    assert ours(scheduled("cosine", final=0.1)) == pytest.approx(expected)


def test_linear_is_torchs() -> None:
    expected = torchs(lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, 0.25, total_iters=59))
    assert ours(scheduled("linear", final=0.25)) == pytest.approx(expected)


def test_one_cycle_is_torchs() -> None:
    expected = torchs(
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, 0.2, total_steps=60, pct_start=1 / 3, cycle_momentum=False
        ),
        59,
    )
    assert ours(scheduled("one_cycle", warm_up=2.0))[:59] == pytest.approx(expected)


def test_warm_up_rises_in_a_line_to_the_highest_rate() -> None:
    rates = ours(scheduled("constant", warm_up=1.5))
    assert rates[:15] == pytest.approx([0.2 * (step + 1) / 15 for step in range(15)])
    assert set(rates[14:]) == {0.2}
    cosine = ours(scheduled("cosine", warm_up=2.0))
    assert cosine[19] == cosine[20] == 0.2
    assert cosine[-1] == pytest.approx(0.0)
    assert cosine[20:] == sorted(cosine[20:], reverse=True)


def test_a_run_of_few_epochs_warms_up_for_half_of_them() -> None:
    rates = ours(scheduled("linear", epochs=2, warm_up=5.0))
    assert max(rates) == rates[9] == rates[10] == 0.2


@pytest.mark.parametrize("shape", ["constant", "linear", "cosine", "one_cycle"])
def test_every_shape_is_finite_in_the_shortest_run(shape: str) -> None:
    settings = scheduled(shape, epochs=1, warm_up=1.0)
    assert all(math.isfinite(lr_at(settings, step, 1)) for step in range(1))


def test_the_steps_of_an_epoch_go_on_where_the_last_one_ended() -> None:
    settings = scheduled("cosine", warm_up=1.0)
    history = [epoch(number, 1.0, 0.5) for number in range(1, 4)]
    assert step_lrs(settings, history, STEPS) == ours(settings)[30:40]
    assert step_lrs(toy_config(lr=0.5, lr_decay=0.9), history, 3) == [0.5 * 0.9**3] * 3
