"""The one kind of error that a person can put right: shown as its message, without a traceback."""


class UserError(ValueError):
    """A few lines that name the file, row or parameter and what is allowed."""
