"""params.yaml and waiting.yaml -> every system trained for an epoch or so on drawn faces: does it work here?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer.errors import UserError
from fer.models.classifier import load_classifier
from fer.params import Params
from stages.jobs import one_teacher, train_system

DATASET = "synthetic"


@dataclass(frozen=True)
class Trained:
    """A system's short run: `parameters` of its network, `accuracy` on PublicTest in [0, 1], `seconds` of training."""

    system: str
    starts_from: str
    parameters: int
    accuracy: float
    seconds: float


def train_zoo(params: Params, out: Path, *, epochs: int) -> Iterator[Trained]:
    """The first seed of every system, those that wait too, weights under `out`; students learn from its teacher.

    An ensemble's student learns from the labels here: there is no ensemble yet. Raises UserError.
    """
    store = Path("data/normalised") / f"{DATASET}.h5"
    if not store.exists():
        raise UserError(f"{store}: not there yet; `make repro` writes it")
    dataset = params.datasets[DATASET]
    short = dataset.model_copy(update={"seeds": dataset.seeds[:1], "max_epochs": epochs, "epochs": {}})
    every = params.model_copy(update={"systems": params.every_system, "datasets": {DATASET: short}})
    for system in sorted(every.systems, key=lambda name: name in every.distil.systems):  # teachers first
        yield train_one(every, system, store, out)


def train_one(params: Params, system: str, store: Path, out: Path) -> Trained:
    teachers = one_teacher(params, out / params.distil.teacher) if system in params.distil.systems else None
    begin = time.perf_counter()
    train_system(params, dataset=DATASET, system=system, store=store, out=out / system, teachers=teachers)
    seconds = time.perf_counter() - begin
    (seed,) = params.datasets[DATASET].seeds
    _, facts = load_classifier(out / system / f"{seed}.safetensors")
    return Trained(system, facts["starts_from"], facts["parameters"], facts["validation_accuracy"], seconds)
