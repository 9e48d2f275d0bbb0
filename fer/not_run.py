"""What stands in a stage's outs for a system that the dataset does not run, and in those that outlive a run."""

from pathlib import Path

from fer.files import write_text

NAME = "not_run.txt"


def leave_note(*folders: Path) -> None:
    for folder in folders:
        write_text(folder / NAME, "this dataset does not run this system: params.yaml, systems.*.datasets\n")


def keep_only(folder: Path, names: set[str]) -> None:
    """Removes what an earlier run left in an out that DVC keeps between runs: other seeds, or a note."""
    for path in folder.glob("*"):
        if path.name not in names:
            path.unlink()


def is_noted(folder: Path) -> bool:
    return (folder / NAME).exists()
