"""Threads, device and precision: what must be set before the first tensor for two runs to give the same bytes."""

import os

import torch

from fer.errors import UserError


def prepare(threads: int) -> None:
    """Allow deterministic kernels only, `threads` CPU threads, and TF32 for float32 where a GPU has it."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms, which imports a compiler for 2 s
    # Filling fresh memory with NaN guards against kernels that read it; ours are tested, and it costs a pass a tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision("high")


def pick_device(wanted: str) -> torch.device:
    """Return the device; `auto` is the GPU where there is one. Raise UserError for a cuda that is not there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: no CUDA device here; allowed: auto, cpu")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def describe_device(device: torch.device) -> str:
    """Return `cpu AVX2` or the GPU's name: results are the same bytes only on the same one."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu {torch.backends.cpu.get_cpu_capability()}"


def pick_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Return the precision; `auto` is bfloat16 where the hardware computes it: emulated it is ten times slower."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32
