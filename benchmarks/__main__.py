"""Runs the benchmarks, each in a process of its own, and writes benchmarks/RESULTS.md from all results there are."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import click
import torch

from benchmarks.measure import NOT_MEASURED, machine
from fer.files import atomic_write, write_json
from fer.models.device import pick_device, pick_precision

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
BENCHMARKS = {
    "training": "Training images a second",
    "peak": "Share of the measured peak",
    "compiled": "torch.compile",
    "layout": "Memory layout",
    "seeds": "Several seeds at once",
    "time_to_accuracy": "Time to accuracy",
    "ingest": "Ingest of the real file",
    "scale": "Ingest at 1, 5 and 10 times the size",
    "prediction": "Prediction",
}
ON_CPU_ONLY = ("seeds", "ingest", "scale")
WITHOUT_TRAINING = ("ingest", "scale", "prediction")
# Folders of results. A CPU that computes bfloat16 trains in it, another in float32 at half the speed.
KINDS = {"cpu": "CPU", "cpu_float32": "CPU without bfloat16", "cuda": "GPU"}


@click.command(help=__doc__)
@click.option("--only", type=click.Choice(list(BENCHMARKS)), help="one of them alone")
@click.option("--here", is_flag=True, hidden=True, help="in this process, without RESULTS.md")
def main(only: str | None, here: bool) -> None:
    if here and only:
        run(only)
        return
    for name in [only] if only else list(BENCHMARKS):
        click.echo(f"{name} ...", err=True)
        subprocess.run([sys.executable, "-m", "benchmarks", "--only", name, "--here"], check=True)
    with atomic_write(FOLDER / "RESULTS.md") as temporary:
        temporary.write_text(render(), encoding="utf-8")


def run(name: str) -> None:
    device = torch.device("cpu") if name in ON_CPU_ONLY else pick_device("auto")
    facts = machine(device)  # before it works, so that the load is the others'
    result = importlib.import_module(f"benchmarks.{name}").measure()
    if result is None:
        click.echo(f"{name}: left out, what it measures on is not at hand", err=True)
        return
    write_json(RESULTS / kind_of(name, device) / f"{name}.json", {"machine": facts, "result": result})


def kind_of(name: str, device: torch.device) -> str:
    if device.type == "cpu" and name not in WITHOUT_TRAINING and pick_precision("auto", device) is torch.float32:
        return "cpu_float32"
    return device.type


def render() -> str:
    parts = [
        "# Benchmarks\n\n`make bench` measures and writes this file; `make bench ONLY=ingest` one part. "
        "What is compared runs in turn in one process (A B A B); figures are medians, ratios those of the rounds' "
        "ratios. Raw seconds stand in benchmarks/results.\n"
    ]
    for name, title in BENCHMARKS.items():
        parts.append(f"\n## {title}\n\n{(importlib.import_module(f'benchmarks.{name}').__doc__ or '').strip()}\n")
        parts += [part(name, kind) for kind in kinds_of(name)]
    return "".join(parts)


def kinds_of(name: str) -> list[str]:
    left_out = {"cuda"} if name in ON_CPU_ONLY else set()
    if name in WITHOUT_TRAINING:
        left_out.add("cpu_float32")
    return [kind for kind in KINDS if kind not in left_out]


def part(name: str, kind: str) -> str:
    path = RESULTS / kind / f"{name}.json"
    heading = f"\n### {KINDS[kind]}\n\n"
    if not path.exists():
        return heading + (f"N{NOT_MEASURED[1:]}.\n" if kind == "cuda" else "Not measured.\n")
    content = json.loads(path.read_text(encoding="utf-8"))
    facts = content["machine"]
    text = importlib.import_module(f"benchmarks.{name}").report(content["result"], kind)
    where = (
        f"On: {facts['device']}, {facts['cores']} cores, {facts['memory']}; {facts['system']}; {facts['packages']}; "
        f"commit {facts['commit']}; load before it began {facts['load']}.\n"
    )
    return f"{heading}{text}\n{where}"


if __name__ == "__main__":
    main()
