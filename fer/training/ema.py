"""EMA, the exponential moving average of a network's weights: what is evaluated and kept instead of the last ones."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """After each step, average <- decay * average + (1 - decay) * weights, batch normalisation's statistics too.

    The first updates take a smaller decay, (1 + n) / (10 + n) in update n, so that a short run forgets its random start
    (TensorFlow's ExponentialMovingAverage with `num_updates`; the average itself: Polyak and Juditsky 1992). torch's
    AveragedModel copies its counter to the device in every step, which waits for the GPU.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.updates = 0
        self.average, self.followed = floating(self.network), floating(network)

    @torch.no_grad()
    def update(self) -> None:
        """Follow the network as it is now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.average, self.followed, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.updates = state["updates"]


def floating(network: nn.Module) -> list[Tensor]:
    """Return all that can be averaged; batch normalisation's count of batches decides nothing."""
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
