"""The outs of explain for a system that the dataset does not run."""

from pathlib import Path

from fer.evaluation.plots_data import write_csv
from fer.files import write_json
from fer.not_run import leave_note

HEADER = ("method", "pixels", "probability")


def note_not_run(faces: Path, metrics: Path, plots: Path) -> None:
    leave_note(faces, plots / "pictures")
    write_json(metrics, {"faces": 0})
    for kind in ("deletion", "insertion"):
        write_csv(plots / f"{kind}.csv", HEADER, [])
