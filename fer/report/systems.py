"""What the report reads of one system: every seed's predictions, provenance and history, all of it kept in git."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.evaluation.evaluate import read_epochs
from fer.evaluation.plots_data import EpochScore
from fer.predictions.format import Splits, read_seeds

ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class System:
    seeds: Mapping[int, Splits]
    provenances: Mapping[int, Mapping[str, Any]]
    history: Sequence[EpochScore]  # of all seeds; empty for the ensemble, which is no training of its own


def read_systems(predictions: Path, ensemble: Path, names: Sequence[str]) -> dict[str, System]:
    """Return the systems `names` of `predictions`, and the ensemble. Raise PredictionsError for a missing one."""
    folders = {name: predictions / name for name in names} | {ENSEMBLE: ensemble}
    return {name: read_system(folder) for name, folder in folders.items()}


def read_system(folder: Path) -> System:
    seeds, provenances = read_seeds(folder)
    histories = {seed: folder / f"{seed}.csv" for seed in seeds}
    history = [score for seed, path in histories.items() if path.exists() for score in read_epochs(path, seed)]
    return System(seeds, provenances, history)
