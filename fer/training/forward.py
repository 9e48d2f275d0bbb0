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
    """Call a network; after `compile`, through torch's `reduce-overhead` (CUDA graphs on a GPU) for one batch size.

    The last batch of an epoch has another size and is not worth a graph.
    """

    def __init__(self, network: nn.Module, batch_size: int) -> None:
        self.network = network
        self.batch_size = batch_size
        self.compiled: Callable[[Tensor], Tensor] | None = None

    def compile(self, images: Tensor, precision: torch.dtype) -> None:
        """Compile, and train on a full batch until its graphs are recorded; leave nothing of that in the network.

        Where that fails (no compiler, no memory), say so on stderr and go on without. It must fail here: a backward
        pass is compiled when it is first called, in the middle of an epoch.
        """
        before = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        try:
            torch._inductor.config.deterministic = True  # choose no kernel by timing
            self.compiled = torch.compile(self.network.train(), mode="reduce-overhead", dynamic=False)
            for _ in range(3):  # compiled, recorded, replayed
                self.network.zero_grad(set_to_none=True)  # the next replay writes over a graph's gradients
                with torch.autocast(images.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
                    logits = self(images)
                logits.float().sum().backward()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            print(f"compile: not possible here ({reason}); training goes on without it", file=sys.stderr)
            self.compiled = None
        self.network.zero_grad(set_to_none=True)
        self.network.load_state_dict(before)

    def train(self) -> "Forward":
        """Return this epoch's, in training mode; over several processes made anew, since layers unfreeze."""
        self.network.train()
        return Forward(replicated(self.network), self.batch_size) if in_process_group() else self

    def __call__(self, images: Tensor) -> Tensor:
        if self.compiled is None or len(images) != self.batch_size:
            logits: Tensor = self.network(images)
            return logits
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return self.compiled(images)
