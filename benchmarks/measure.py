"""How things are timed: run after run in turn in one process, medians, ratios; and on what machine."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fer.models.device import describe_device, pick_device, prepare
from fer.orchestration.side_by_side import usable_cores

PACKAGES = ("torch", "torchvision", "kornia", "numpy", "pandas", "pillow", "h5py", "onnxruntime")
NOT_MEASURED = "not measured: no GPU here"


def start() -> torch.device:
    """All cores that the process may use, the project's own flags, and the device that the figures are of."""
    prepare(usable_cores())
    return pick_device("auto")


def in_turn(variants: dict[str, Callable[[], object]], *, rounds: int, warm: bool = True) -> dict[str, list[float]]:
    """Seconds of each variant: A B C A B C ..., after one round that does not count where `warm` asks for it."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(-warm, rounds):
        for name, run in variants.items():
            begin = time.perf_counter()
            run()
            finish()
            if number >= 0:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def finish() -> None:
    """Waits for what the device still does."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def ratio(first: list[float], second: list[float]) -> float:
    """How many times faster the first is: the median of the rounds' ratios, so that a slow moment hits both sides."""
    return statistics.median(b / a for a, b in zip(first, second, strict=True))


def machine(device: torch.device) -> dict[str, str]:
    return {
        "device": describe_device(device) if device.type == "cuda" else f"{processor()}, {describe_device(device)}",
        "cores": str(usable_cores()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": commit(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """The checkout's, marked where files differ from it; the results themselves do not count."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no", ":/", ":(exclude,top)benchmarks/results",
         ":(exclude,top)benchmarks/RESULTS.md"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return (head.stdout.strip() or "unknown") + (" with changes" if changed.stdout.strip() else "")


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    marks = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, marks, *rows)) + "\n"


def summary(seconds: list[float], images: int) -> dict[str, Any]:
    return {"seconds": seconds, "per_second": images / statistics.median(seconds)}
