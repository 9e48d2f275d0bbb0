"""One thin script a stage: it parses its arguments, calls fer/ and writes."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from fer.errors import DistributedError, UserError


def stage(*arguments: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a script's `main` a command with these arguments; its help is the module's docstring."""

    def command(main: Callable[..., Any]) -> click.Command:
        wrapped = clear_errors(main)
        for name in reversed(arguments):
            wrapped = click.argument(name)(wrapped)
        return click.command(help=sys.modules[main.__module__].__doc__)(wrapped)

    return command


def clear_errors(main: Callable[..., None]) -> Callable[..., None]:
    """End the stage with a UserError's message and status 1; everything else is a bug, with its traceback."""

    @functools.wraps(main)
    def wrapped(*args: object, **kwargs: object) -> None:
        try:
            main(*args, **kwargs)
        except UserError as error:
            # Under torchrun all processes meet the same error; rank 0 prints it.
            if isinstance(error, DistributedError) or os.environ.get("RANK", "0") == "0":
                print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    return wrapped
