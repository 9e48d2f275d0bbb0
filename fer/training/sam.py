"""SAM, sharpness-aware minimisation (Foret et al. 2021): the gradient is taken where the loss nearby is highest."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def climbed(network: nn.Module, rho: float) -> Iterator[None]:
    """Move the weights to w + rho * g / |g| for the block, equation 2, with g the gradient that they have at entry.

    Afterwards they are what they were, and what the block left as gradient is that of the point above: an optimizer's
    step then is the method's. The norm is over all weights. Batch normalisation's statistics too are what they were:
    they belong to the weights, not to the point above.
    """
    moved: list[Tensor] = [parameter for parameter in network.parameters() if parameter.grad is not None]
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    restored = moved + [statistic for norm in norms for statistic in norm.buffers()]
    before = [tensor.detach().clone() for tensor in restored]
    with torch.no_grad():
        gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
        length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_add_(moved, list(torch._foreach_mul(gradients, rho / (length + 1e-12))))
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(restored, before)
