"""Whether one memory layout fits all networks: a training step in channels_last, the engine's choice, against NCHW.

Forward, backward and update of a system's network on one random batch; on a CPU in one thread, as seeds train.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmarks.measure import in_turn, ratio, start, summary, table
from benchmarks.ours import PARAMS
from fer.models.device import pick_precision, prepare
from fer.models.networks import build, input_side

SYSTEMS = (
    "cs231n_baseline", "cs231n", "tuwani", "lausanne_cnn2", "le_shallow", "le_deep", "flagship_small", "flagship_vgg",
    "flagship", "mobilenet_v2",
)  # fmt: skip
LAYOUTS = {"channels_last": torch.channels_last, "NCHW": torch.contiguous_format}
BATCH = 32
ROUNDS = 7


def measure() -> dict[str, Any]:
    device = start()
    prepare(1)
    return {"rows": [run(system, device) for system in SYSTEMS]}


def run(system: str, device: torch.device) -> dict[str, Any]:
    seconds = in_turn({name: step(system, layout, device) for name, layout in LAYOUTS.items()}, rounds=ROUNDS)
    return {
        "system": system,
        "variants": {name: summary(times, BATCH) for name, times in seconds.items()},
        "ratio": ratio(seconds["channels_last"], seconds["NCHW"]),
    }


def step(system: str, layout: torch.memory_format, device: torch.device) -> Callable[[], None]:
    """Return one step of a fresh network."""
    config = PARAMS.config(system)
    side, precision = input_side(config.input_size, config.augment.crop), pick_precision("auto", device)
    network = build(config.network, side).to(device, memory_format=layout).train()  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)
    images = torch.randn(BATCH, 1, side, side, device=device).contiguous(memory_format=layout)
    labels = torch.randint(0, 7, (BATCH,), device=device)

    def run_step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
            logits = network(images)
        optimizer.zero_grad()
        cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return run_step


def report(result: dict[str, Any], _kind: str) -> str:
    rows = [
        [f"`{row['system']}`", *(f"{row['variants'][name]['per_second']:.0f}" for name in LAYOUTS),
         f"{row['ratio']:.2f}"]
        for row in result["rows"]
    ]  # fmt: skip
    return table(["network", *(f"{name}, images/s" for name in LAYOUTS), "channels_last / NCHW"], rows)
