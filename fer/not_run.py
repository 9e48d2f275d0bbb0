"""What stands in a stage's outs for a system that the dataset does not run."""

from pathlib import Path

from fer.files import write_text

NAME = "not_run.txt"


def leave_note(*folders: Path) -> None:
    for folder in folders:
        write_text(folder / NAME, "this dataset does not run this system: params.yaml, systems.*.datasets\n")


def is_noted(folder: Path) -> bool:
    return (folder / NAME).exists()
