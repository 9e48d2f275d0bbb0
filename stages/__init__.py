"""One thin script a stage: it parses its arguments, calls fer/ and writes."""

import functools
import sys
from collections.abc import Callable

from fer.errors import UserError


def clear_errors(main: Callable[..., None]) -> Callable[..., None]:
    """What a person can put right ends the stage with its message and status 1; everything else is a bug."""

    @functools.wraps(main)
    def wrapped(*args: object, **kwargs: object) -> None:
        try:
            main(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    return wrapped
