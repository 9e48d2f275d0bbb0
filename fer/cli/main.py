"""`python -m fer ...`: what a person asks of the project beside the pipeline itself."""

import errno
import sys
from pathlib import Path
from typing import Any

import click

from fer.cli.download import download
from fer.cli.export import export
from fer.cli.output import show_every_character
from fer.cli.photos import app, evaluate_folder, predict
from fer.cli.score import score
from fer.cli.source import source
from fer.config.params import PARAMS, load_params
from fer.errors import UserError

RESULTS = Path("docs") / "results.json"


class Commands(click.Group):
    """Show what a person can put right as its message, status 1."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        show_every_character()
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            said = str(error)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click knows what to do when nobody reads on
            said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"error: {said}", err=True)
        sys.exit(1)


@click.group(cls=Commands)
@click.version_option(package_name="fer2013-pipeline", prog_name="fer", message="%(prog)s %(version)s")
def main() -> None:
    """Repeatable facial-expression research on FER2013."""


@main.command()
def results() -> None:
    """Print the results table of the pipeline in this folder and where to look next."""
    from fer.report.tables import print_results  # noqa: PLC0415 - as in `search`

    print_results(RESULTS, load_params().run.systems if Path(PARAMS).exists() else ())


@main.command()
@click.argument("system")
@click.option("--trials", default=50, show_default=True, type=click.IntRange(1), help="of the study, earlier ones too")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="side by side, on GPUs in turn")
@click.option("--sampler", default="random", show_default=True, type=click.Choice(["random", "tpe"]))
@click.option("--storage", default="sqlite:///.searches/trials.db", show_default=True, help="a database's URL")
def search(system: str, trials: int, jobs: int, sampler: str, storage: str) -> None:
    """Search SYSTEM's parameters in the space of params.yaml's block `search`, judged on PublicTest.

    A search that was interrupted goes on with the same command; several machines may work on one storage.
    """
    from fer.orchestration.search_system import search_system  # noqa: PLC0415 - torch and Optuna take seconds to import

    for line in search_system(load_params(), system, trials=trials, jobs=jobs, sampler=sampler, storage=storage):
        click.echo(line)


for command in (app, download, evaluate_folder, export, predict, score, source):
    main.add_command(command)
