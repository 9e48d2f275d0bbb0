"""One thin script a stage: it parses its arguments, calls fer/ and writes."""

import functools
import os
import sys
from collections.abc import Callable

from fer.errors import DistributedError, UserError


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
