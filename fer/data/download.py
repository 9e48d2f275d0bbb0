"""FER2013 from Kaggle and FER+ from GitHub, as copies in a folder; no stage calls this."""

import shutil
import urllib.request
from http.client import HTTPException
from pathlib import Path

from fer.data.archives import first_line
from fer.errors import UserError
from fer.ferplus import VotesError, read_votes
from fer.files import atomic_write

COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"
COMPETITION_FILE = "icml_face_data.csv"
PUBLIC_COPY, PUBLIC_COPY_FILE = "deadskull7/fer2013", "fer2013.csv"
FERPLUS = "https://raw.githubusercontent.com/microsoft/FERPlus/master/fer2013new.csv"


class DownloadError(UserError):
    """A download that did not succeed; the message says how to get the file by hand."""


def download_fer2013(folder: Path) -> Path:
    """Copy Kaggle's CSV with the competition's exact pixels into `folder`; return its place there.

    With an account it is the competition's own file, else a public copy. Raise DownloadError, also where a file of its
    name is there.
    """
    found = _ask_kaggle()
    target = folder / found.name
    _require_free(target)
    with atomic_write(target) as temporary:  # a copy: kagglehub's cache stays as it is
        shutil.copyfile(found, temporary)
    return target


def _ask_kaggle() -> Path:
    try:
        import kagglehub  # noqa: PLC0415 - half a second, needed once

        try:
            return Path(kagglehub.competition_download(COMPETITION, COMPETITION_FILE))
        except Exception:  # without an account, or one that has not accepted the competition's rules
            return Path(kagglehub.dataset_download(PUBLIC_COPY, PUBLIC_COPY_FILE))
    except Exception as error:  # kagglehub lets through whatever its HTTP library raises
        raise DownloadError(
            f"FER2013 could not be downloaded from Kaggle: {first_line(error)}\n"
            f"get {COMPETITION_FILE} or fer2013.csv from https://www.kaggle.com/c/{COMPETITION}/data\n"
            "and run `make fer2013 CSV=path`; path may be the CSV, the folder of images, or an archive of either"
        ) from None


def _require_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise DownloadError(f"{target}: there already; to have it anew, move it away")


def download_ferplus(folder: Path, *, url: str = FERPLUS) -> Path:
    """Write FER+'s fer2013new.csv into `folder`; return its place there.

    Raise DownloadError, also where a file of that name is there, or VotesError.
    """
    target = folder / "fer2013new.csv"
    _require_free(target)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise DownloadError(f"{url}: {reason}\nget the file by hand and put it into {folder}") from None
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
        if read_votes(temporary, named=url) is None:
            raise VotesError(f"{url}: no votes in it")
    return target
