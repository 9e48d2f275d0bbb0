"""The forward pass of training: replayed as CUDA graphs where that pays, kernel by kernel elsewhere."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from fer.training.distributed import in_process_group, replicated


def compiles(wanted: str, device: torch.device) -> bool:
    """Whether training compiles: `auto` on CUDA, where small networks wait for kernels to be launched, alone there."""
    return wanted == "always" or (wanted == "auto" and device.type == "cuda" and not in_process_group())


class Forward:
    """Call a network; compiled (torch's `reduce-overhead`: CUDA graphs on a GPU) for batches of one size.

    The last batch of an epoch has another size and is not worth a graph. Where nothing can be compiled, say so once on
    stderr and go on without.
    """

    def __init__(self, network: nn.Module, *, batch_size: int, compiled: bool) -> None:
        self.network = network
        self.batch_size = batch_size
        self.compiled: Callable[[Tensor], Tensor] | None = None
        if compiled:
            self.compiled = torch.compile(network, mode="reduce-overhead", dynamic=False)

    def train(self) -> "Forward":
        """Return this epoch's, in training mode; over several processes made anew, since layers unfreeze."""
        self.network.train()
        if not in_process_group():
            return self
        return Forward(replicated(self.network), batch_size=self.batch_size, compiled=False)

    def __call__(self, images: Tensor) -> Tensor:
        if self.compiled is None or len(images) != self.batch_size:
            logits: Tensor = self.network(images)
            return logits
        try:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            return self.compiled(images)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            print(f"compile: not possible here ({reason}); training goes on without it", file=sys.stderr)
            self.compiled = None
            return self(images)
