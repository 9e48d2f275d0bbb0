"""train: a system from scratch -> data/models/{system}/{seed}.safetensors and {seed}.csv for each of its seeds."""

from pathlib import Path
from typing import Any

from fer.config.params import load_params
from fer.orchestration.jobs import MODELS, seed_jobs
from fer.orchestration.side_by_side import train_seeds
from fer.orchestration.watchdog import die_with_dvc
from stages import stage

STORE = Path("data/normalised.h5")


@stage("system")
def main(system: str) -> None:
    train(system)


def train(system: str, **start: Any) -> None:
    """Train each seed of the system; `start` is its teachers or weights, as `seed_jobs` takes them."""
    die_with_dvc()
    params = load_params()
    jobs = seed_jobs(params, system, store=STORE, out=MODELS / system, **start)
    train_seeds(jobs, workers=params.train.workers)


if __name__ == "__main__":
    main()
