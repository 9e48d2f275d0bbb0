"""What a person sees while seeds train: a bar a seed in a terminal, a line an epoch in a log."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fer.training.loop import Epoch


class Display:
    """`report` may be called from any thread."""

    def __init__(self, epochs: dict[str, int]) -> None:
        self.epochs = epochs  # that each run gets, by its name
        self.console = Console(file=sys.stderr)
        self.started: dict[str, tuple[float, int]] = {}
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f} {task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def report(self, run: str, done: int, share: float, epoch: Epoch | None) -> None:
        """`done` epochs and a share of the next one; with an epoch's line once it has ended."""
        if not self.console.is_terminal:
            if epoch:
                self.log(run, epoch)
            return
        if run not in self.tasks:
            self.tasks[run] = self.progress.add_task(run, total=self.epochs[run], epoch=done, figures="")
        self.progress.update(self.tasks[run], completed=done + share, epoch=min(done + 1, self.epochs[run]))
        if epoch:
            self.progress.update(self.tasks[run], figures=figures(epoch))

    def log(self, run: str, epoch: Epoch) -> None:
        """One line with the time that is left, from the epochs that this process saw."""
        now = time.monotonic()
        start, first = self.started.setdefault(run, (now, epoch.epoch))
        left = ""
        if epoch.epoch > first:
            seconds = (now - start) / (epoch.epoch - first) * (self.epochs[run] - epoch.epoch)
            left = f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
        print(
            f"{run} epoch {epoch.epoch}/{self.epochs[run]} {figures(epoch)}{left}",
            file=sys.stderr,
            flush=True,
        )


def figures(epoch: Epoch) -> str:
    return (
        f"loss {epoch.train_loss:.3f} accuracy {epoch.train_accuracy:.1%}, "
        f"PublicTest loss {epoch.validation_loss:.3f} accuracy {epoch.validation_accuracy:.1%}"
    )
