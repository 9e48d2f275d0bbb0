"""Threads, device and precision: what must be set before the first tensor for two runs to give the same bytes."""

import os
import re

import torch

from fer.errors import UserError

CPU = torch.device("cpu")
PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def prepare(threads: int, device: torch.device = CPU) -> None:
    """Allow deterministic kernels only, `threads` CPU threads, and TF32 for float32 where a GPU has it.

    Apple's MPS lacks deterministic kernels for much that is trained here: it may use those that it has.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    # use_deterministic_algorithms does the same, and imports a compiler for 2 s
    torch.set_deterministic_debug_mode("default" if device.type == "mps" else "error")
    # Filling fresh memory with NaN guards against kernels that read it; ours are tested, and it costs a pass a tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision("high")


def pick_device(wanted: str) -> torch.device:
    """Return the device; `auto` is a GPU that torch has kernels for, else Apple's MPS, else the CPU.

    Raise UserError for a cuda or mps that cannot be used here.
    """
    no_cuda = why_no_cuda()
    no_mps = None if torch.backends.mps.is_available() else "no Apple GPU here"
    problem = {"cuda": no_cuda, "mps": no_mps}.get(wanted)
    if problem:
        raise UserError(f"device={wanted}: {problem}; allowed: auto, cpu")
    if wanted == "auto":
        wanted = "cpu" if no_cuda and no_mps else "mps" if no_cuda else "cuda"
    return torch.device(wanted)


def why_no_cuda() -> str | None:
    """Return what keeps torch from using a CUDA device, None for nothing."""
    if not torch.cuda.is_available():
        return "no CUDA device here"
    built_for = torch.cuda.get_arch_list()
    major, minor = torch.cuda.get_device_capability()
    if torch.version.hip or any(runs_on(target, major, minor) for target in built_for):
        return None
    name = torch.cuda.get_device_name()
    return f"{name} has compute capability {major}.{minor}, this torch has kernels for {', '.join(built_for)}"


def runs_on(target: str, major: int, minor: int) -> bool:
    """Whether code for `sm_86` or `compute_86` runs on a device of that capability.

    Machine code runs on later minor versions of its major one (CUDA C++ Programming Guide, "Binary Compatibility"),
    PTX on everything later; a letter at the end holds it to its own version.
    """
    kind, built_major, built_minor, own = re.fullmatch(r"(sm|compute)_(\d+)(\d)([a-z]?)", target).groups()  # type: ignore[union-attr]
    built = int(built_major), int(built_minor)
    if own:
        return built == (major, minor)
    return built <= (major, minor) and (kind == "compute" or built[0] == major)


def describe_device(device: torch.device) -> str:
    """Return `cpu AVX2`, `mps` or the GPU's name: results are the same bytes only on the same one."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else device.type


def pick_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Return the precision; `auto` is bfloat16 where the hardware computes it: emulated it is ten times slower."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32


def describe_precision(precision: torch.dtype, device: torch.device) -> str:
    """Return `bfloat16`, `float32`, or `tf32` where a GPU multiplies float32 with TF32's 10 bits of mantissa."""
    if precision is torch.float32 and device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
        return "tf32"
    return PRECISIONS[precision]


def layout(device: torch.device) -> torch.memory_format:
    """Return the one that convolutions are fast in."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last
