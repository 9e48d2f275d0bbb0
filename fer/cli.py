"""`python -m fer ...`: what a person asks of the project beside the pipeline itself."""

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from fer.app.commands import app, evaluate_folder, predict
from fer.app.export_command import export
from fer.errors import UserError
from fer.evaluation.tables import print_results
from fer.files import write_text
from fer.params import PARAMS, load_params


class Commands(click.Group):
    """Shows what a person can put right as its message, status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


@click.group(cls=Commands)
def main() -> None:
    """Repeatable facial-expression research on FER2013."""


@main.command()
@click.argument("dataset", required=False)
def results(dataset: str | None) -> None:
    """The results table of DATASET (the one in params.yaml if left out) and where to look next."""
    dataset = dataset or load_params().dataset
    path = Path("metrics") / dataset / "summary.json"
    if not path.exists():
        raise UserError(f"{path}: not there yet; `dvc repro` with dataset: {dataset} in params.yaml writes it")
    console = Console()
    print_results(json.loads(path.read_text(encoding="utf-8")), f"FER, dataset {dataset}", console)
    console.print(
        f"\nNext: plots/{dataset}/ (pictures), data/figures/{dataset}/samples.png (faces), `dvc plots show`,\n"
        "`dvc exp run -S systems.cs231n.learning_rate=0.002`, then `dvc metrics diff`."
    )


@main.command()
@click.argument("name")
def dataset(name: str) -> None:
    """Switch params.yaml to the dataset NAME; nothing of the other one is overwritten or removed."""
    known = load_params().datasets
    if name not in known:
        raise UserError(f"dataset={name}: no such name; known: {', '.join(known)}")
    text = PARAMS.read_text(encoding="utf-8")
    # The line alone is replaced: a YAML writer would lose the comments' places.
    write_text(PARAMS, re.sub(r"^dataset: \w+", f"dataset: {name}", text, count=1, flags=re.MULTILINE))
    keep_outs()


def keep_outs() -> None:
    """Makes DVC forget which files it made: those that the graph lacks now the next `dvc checkout` would remove.

    With them would go the other dataset's metrics and plots, which are in no cache.
    """
    from dvc.exceptions import NotDvcRepoError  # noqa: PLC0415 - a second, which only this command pays
    from dvc.repo import Repo  # noqa: PLC0415

    with suppress(NotDvcRepoError), Repo() as repo:
        repo.state.links.clear()


@main.command()
@click.argument("system")
@click.option("--trials", default=50, show_default=True, type=click.IntRange(1), help="of the study, earlier ones too")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="processes side by side")
@click.option("--sampler", default="random", show_default=True, type=click.Choice(["random", "tpe"]))
@click.option("--storage", default="sqlite:///.searches/trials.db", show_default=True, help="or journal:PATH, or a URL")
def search(system: str, trials: int, jobs: int, sampler: str, storage: str) -> None:
    """Search SYSTEM's parameters in the space of params.yaml's block `search`, judged on PublicTest.

    A search that was interrupted goes on with the same command; several machines may work on one storage.
    """
    from stages.searches import search_system  # noqa: PLC0415 - torch and Optuna take seconds to import

    for line in search_system(load_params(), system, trials=trials, jobs=jobs, sampler=sampler, storage=storage):
        click.echo(line)


@main.command()
@click.option("--epochs", default=1, show_default=True, type=click.IntRange(1), help="of each system, at most")
def zoo(epochs: int) -> None:
    """Train every system, those of waiting.yaml too, in a shortened form on the drawn faces; nothing is kept."""
    from stages.zoo import train_zoo  # noqa: PLC0415 - torch takes seconds to import

    with TemporaryDirectory() as folder:
        for run in train_zoo(load_params(), Path(folder), epochs=epochs):
            click.echo(
                f"{run.system:<28}{run.parameters:>11,} parameters from {run.starts_from}: "
                f"{run.accuracy:.1%} of PublicTest, {run.seconds:.0f} s"
            )


main.add_command(export)
main.add_command(app)
main.add_command(predict)
main.add_command(evaluate_folder)
