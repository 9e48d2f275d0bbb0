"""Configs, a store and jobs that are small enough to train in a test."""

from pathlib import Path
from typing import Any

from fer.config.params import load_params
from fer.config.run import RunConfig
from fer.data.normalise import normalise_store
from fer.orchestration.jobs import Job
from tests.data.test_normalise import write_store

PARAMS = load_params(Path(__file__).parent.parent / "params.yaml")


def config(system: str = "cs231n", **changes: Any) -> RunConfig:
    """Return the system's block on the CPU in float32; `changes` are options, a dictionary for those of a block."""
    return PARAMS.config(system).changed({"device": "cpu", "precision": "float32", "threads": 1} | changes)


def toy_config(**changes: Any) -> RunConfig:
    """Return a short run's that has a little of everything."""
    short = {"epochs": 4, "batch_size": 20, "lr": 0.01, "lr_decay": 0.9, "weight_decay": 0.001}
    return config(**(short | changes))


def toy_store(folder: Path) -> Path:
    """Write 60 Training faces of noise, ten of each other split, and their statistics."""
    write_store(folder / "clean.h5")
    normalise_store(folder / "clean.h5", folder / "normalised.h5", drop_leaked=False)
    return folder / "normalised.h5"


def jobs(
    store: Path,
    out: Path,
    *,
    seeds: tuple[int, ...] = (0, 1),
    system: str = "cs231n",
    config: RunConfig | None = None,
    teachers: tuple[Path, ...] = (),
    weights: Path | None = None,
) -> list[Job]:
    config = config or toy_config(epochs=2)
    return [Job(system, config, seed, store, out, teachers, weights) for seed in seeds]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def silent(*_: Any) -> None:
    pass
