"""Fractional max-pooling against its definition, and the same answer twice in evaluation."""

import pytest
import torch

from fer.models.pooling import FractionalMaxPool2d


@pytest.mark.parametrize("side", [48, 33, 23, 16, 11, 7])
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5, 0.99])
def test_places_span_the_image_in_steps_of_one_or_two(side: int, shift: float) -> None:
    starts = FractionalMaxPool2d().starts(side, torch.tensor(shift))
    assert len(starts) == FractionalMaxPool2d.output_side(side) == int(side * 0.7071067811865476)
    assert starts[0] == 0
    assert side - 3 <= starts[-1] <= side - 2
    assert set(starts.diff().tolist()) <= {1, 2}


def test_every_value_is_the_maximum_of_its_place() -> None:
    images = torch.randn(2, 3, 11, 11, generator=torch.Generator().manual_seed(0))
    pool = FractionalMaxPool2d().eval()
    pooled = pool(images)
    starts = pool.starts(11, torch.tensor(0.5)).tolist()
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            expected = images[:, :, top : top + 2, left : left + 2].amax((2, 3))
            assert torch.equal(pooled[:, :, row, column], expected)


def test_random_in_training_and_fixed_in_evaluation() -> None:
    images = torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    pool = FractionalMaxPool2d()
    torch.manual_seed(0)
    drawn = [pool(images) for _ in range(8)]
    assert any(not torch.equal(drawn[0], other) for other in drawn[1:])
    pool.eval()
    assert torch.equal(pool(images), pool(images))
