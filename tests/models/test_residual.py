"""Residual networks: their layers, their sizes with every option, and the blur against a plain filter."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from fer.models.networks import build, count_flops
from fer.models.residual import BlurPool2d
from tests.runs import config

IMAGES = torch.randn(2, 1, 44, 44, generator=torch.Generator().manual_seed(0))


def resnet(**options: float) -> nn.Module:
    return build(config("flagship", network=options).network, 44)


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_resnet18_has_the_size_of_its_paper() -> None:
    """torchvision's ResNet-18 but for the stem (3x3 instead of 7x7, one channel) and the logits (7)."""
    torchvisions = 11_689_512
    stem, head = 64 * 3 * 49 - 64 * 9, 1000 * 513 - 7 * 513
    assert size(resnet()) == torchvisions - stem - head


def test_flops_of_resnet18_counted_by_hand() -> None:
    sides, filters = (44, 22, 11, 6), (64, 128, 256, 512)
    convolutions = 18 * 64 * 44**2 + 4 * 18 * 64 * 64 * 44**2
    for side, before, after in zip(sides[1:], filters, filters[1:], strict=False):
        convolutions += side**2 * (18 * before * after + 3 * 18 * after * after + 2 * before * after)
    assert count_flops(resnet(), 44) == convolutions + 2 * 512 * 7


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (
            {"squeeze_excitation": True},
            11_171_271 + 2 * sum(2 * c * c // 16 + c + c // 16 for c in (64, 128, 256, 512)),
        ),
        ({"stochastic_depth": 0.2}, 11_171_271),
        ({"blur_pooling": True}, 11_171_271),
        ({"dropout": 0.3}, 11_171_271),
        ({"width": 0.125}, 176_063),
        ({"width": 2.0}, 44_657_543),
    ],
)
def test_every_option_builds_and_counts(options: dict[str, float], parameters: int) -> None:
    network = resnet(**options)
    assert size(network) == parameters
    if parameters < 12_000_000:
        assert network(IMAGES).shape == (2, 7)


def test_blur_is_the_binomial_filter_with_the_edge_repeated() -> None:
    for side in (6, 7):
        maps = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        kernel = (line[:, None] * line).expand(3, 1, 3, 3)
        expected = F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, groups=3)
        torch.testing.assert_close(BlurPool2d()(maps), expected)


def test_stochastic_depth_grows_with_depth_and_ends_in_evaluation() -> None:
    torch.manual_seed(0)
    network = resnet(stochastic_depth=0.4, width=0.125)
    dropped = [layer.p for layer in network.modules() if type(layer).__name__ == "StochasticDepth"]
    assert dropped == pytest.approx([0.05 * block for block in range(1, 9)])
    assert not torch.equal(network(IMAGES), network(IMAGES))
    network.eval()
    assert torch.equal(network(IMAGES), network(IMAGES))


def test_vgg_has_eight_convolutions_and_takes_any_side() -> None:
    vgg = config("flagship_vgg").network
    network = build(vgg, 44)
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) == 8
    assert size(network) == size(build(vgg, 64))
    assert network(IMAGES).shape == (2, 7)


class Pools(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remember whether each padded average pool was given maps whose channels lie last."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.channels_last: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        padding = args[3] if len(args) > 3 else []
        if func.overloadpacket is torch.ops.aten.avg_pool2d and any(padding):
            self.channels_last.append(args[0].is_contiguous(memory_format=torch.channels_last))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("device", "channels_last"), [("cuda", False), ("cpu", True)])
def test_a_gpu_pads_no_pool_of_channels_last(device: str, channels_last: bool) -> None:
    """Its gradient is wrong there in torch 2.11: flagship_small lost 2 points by it."""
    with FakeTensorMode(), Pools() as pools:
        maps = torch.empty(2, 16, 44, 44, device=device).to(memory_format=torch.channels_last)
        assert BlurPool2d()(maps).shape == (2, 16, 22, 22)
    assert pools.channels_last == [channels_last]
