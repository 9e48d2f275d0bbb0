"""The one kind of error that a person can put right: shown as its message, without a traceback."""

WAYS_TO_FER2013 = """to get it:
  make fer2013 CSV=path            from the CSV, the folder of images or the archive that you have
  python -m fer download fer2013   from Kaggle, with your account
without it, `make demo` runs the same pipeline on synthetic faces"""


class UserError(ValueError):
    """A few lines that name the file, row or parameter and what is allowed."""


class DistributedError(UserError):
    """Another process of a training is gone; every process that is left says so."""
