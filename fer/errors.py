"""The one kind of error that a person can put right: shown as its message, without a traceback."""


class UserError(ValueError):
    """A few lines that name the file, row or parameter and what is allowed."""


class DistributedError(UserError):
    """Another process of a training is gone; every process that is left says so."""
