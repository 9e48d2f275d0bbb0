"""The commands that take files: a name that begins with `-` gets a hint, a wrong option its own status."""

from pathlib import Path
from typing import Any

import click

FAILED_ALL = 1


class WrongUsage(click.UsageError):
    exit_code = FAILED_ALL


class Command(click.Command):
    """End with status 1 for a wrong option or argument: click's own 2 means that some files failed."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        given = [argument for argument in args if argument.startswith("-") and Path(argument).exists()]
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            hint = f" ({given[0]} is a file: put -- before it)" if given else ""
            raise WrongUsage(error.format_message() + hint, error.ctx) from None
