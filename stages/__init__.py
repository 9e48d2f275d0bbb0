"""One thin script a stage: it parses its arguments, calls fer/ and writes."""

import functools
import os
import sys
from collections.abc import Callable

from fer.errors import TeamError, UserError


def clear_errors(main: Callable[..., None]) -> Callable[..., None]:
    """What a person can put right ends the stage with its message and status 1; everything else is a bug."""

    @functools.wraps(main)
    def wrapped(*args: object, **kwargs: object) -> None:
        try:
            main(*args, **kwargs)
        except UserError as error:
            if isinstance(error, TeamError) or os.environ.get("RANK", "0") == "0":  # of a team all meet the same error
                print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    return wrapped
