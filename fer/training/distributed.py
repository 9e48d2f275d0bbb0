"""Processes that train one network together, as torchrun starts them: each takes its shard of every batch.

Every process has all faces and draws the same batches and distortions from the same generator. It shows the network its
shard, gathers the logits of all and has the loss of the whole batch, whatever the loss is. Batch normalisation is over
the whole batch too, so that the weights are those of one process up to rounding. What a network draws while it trains
(dropout, fractional pooling) is drawn a process each: such a network is trained as well, but not to the same weights.

Alone, which a process is that torchrun did not start, every function here gives back what it was given.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import NoReturn

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from fer.errors import DistributedError, UserError
from fer.models.device import pick_device

TIMEOUT = timedelta(hours=2)  # rank 0 may write, or wait for a lock, while the others wait


def in_process_group() -> bool:
    return dist.is_available() and dist.is_initialized()


def size() -> int:
    return dist.get_world_size() if in_process_group() else 1


def is_main_process() -> bool:
    """Whether this is the one process that reports and writes, rank 0."""
    return not in_process_group() or dist.get_rank() == 0


def group_facts() -> dict[str, int]:
    """Return how many processes train together, empty alone: a result's last bits depend on it."""
    return {"processes": size()} if in_process_group() else {}


def wait_for_all() -> None:
    if in_process_group():
        dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the process group that torchrun started, for the block; do nothing without torchrun.

    Raise DistributedError when another process is gone, noticed in a transfer or by torchrun's signal.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    signal.signal(signal.SIGTERM, terminated)
    gpu = None
    if pick_device(device).type == "cuda":
        gpu = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(gpu)
    dist.init_process_group("nccl" if gpu else "gloo", timeout=TIMEOUT, device_id=gpu)
    try:
        yield
    except RuntimeError as error:
        if is_lost_connection(error):
            raise DistributedError(lost()) from None
        raise
    finally:
        dist.destroy_process_group()


def terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    """torchrun ends the others as soon as one is gone."""
    raise DistributedError(lost())


def is_lost_connection(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, dist.DistError) or "gloo" in words or "connection" in words


def lost() -> str:
    return (
        f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}: another training process was killed or ended\n"
        "the next `dvc repro` continues from its last checkpoint"
    )


def shard(items: Tensor) -> Tensor:
    """Return this process's shard of (B, ...): shards in the order of ranks, as even as can be."""
    return items.tensor_split(size())[dist.get_rank()] if in_process_group() else items


def gathered(own: Tensor, count: int) -> Tensor:
    """Return all shards of (B, C) as one, `count` being B; the gradient reaches this process's own alone."""
    if not in_process_group():
        return own
    lengths = [len(piece) for piece in torch.empty(count, 0).tensor_split(size())]
    padded = own.new_zeros((max(lengths), *own.shape[1:]))
    padded[: len(own)] = own.detach()
    pieces = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(pieces, padded)
    whole = [piece[:length] for piece, length in zip(pieces, lengths, strict=True)]
    whole[dist.get_rank()] = own
    return torch.cat(whole)


def for_mean_gradient(loss: Tensor) -> Tensor:
    """Return the whole batch's loss so scaled that DistributedDataParallel's mean over processes is its gradient.

    Each process has the gradient of its own faces; their sum is meant.
    """
    return loss * size() if in_process_group() else loss


def replicated(network: nn.Module) -> nn.Module:
    """Return it with gradients averaged over the processes. Made anew for each epoch, since layers unfreeze.

    Buffers need no broadcast: batch normalisation's statistics are the whole batch's in every process.
    """
    return DistributedDataParallel(network, broadcast_buffers=False) if in_process_group() else network


def with_common_statistics(network: nn.Module) -> nn.Module:
    """Normalise over the whole batch with torch's SyncBatchNorm, which needs CUDA. Raise UserError on the CPU."""
    normalised = any(isinstance(module, _BatchNorm) for module in network.modules())
    if not in_process_group() or not normalised:
        return network
    if dist.get_backend() == "gloo":
        raise UserError(
            "train.launcher: batch normalisation over several processes needs GPUs; on a CPU seeds train side by side\n"
            "allowed there: python, or networks without batch normalisation"
        )
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return converted
