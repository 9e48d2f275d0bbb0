"""Files: written whole (beside their place, then renamed: a kill leaves the old or the new one), hashed, by seed."""

import csv
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer.errors import UserError

PACKAGE = Path(__file__).parent


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to it when the block ends well and removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds `path`, a file that exists for this alone, and hold it for the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def rounded(value: Any, digits: int = 6) -> Any:
    """Return `value` with its floats rounded, through dictionaries and lists: the last bits differ between machines."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return round(float(value), digits) if isinstance(value, float) else value


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write sorted keys, rounded floats, a final newline: the same content gives the same bytes."""
    text = json.dumps(rounded(content), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with LF alone, on every system."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a line for the header and one a row, with commas between, UTF-8, LF."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def source_hash(*patterns: str) -> str:
    """Return the hexadecimal SHA-256 of the package's files that match, by their place in it: `models/*.py`.

    Called when a module is imported, it is that of the code that runs: files may change under a long training.
    """
    digest = hashlib.sha256()
    for source in sorted(path for pattern in patterns for path in PACKAGE.glob(pattern)):
        digest.update(source.relative_to(PACKAGE).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()


def by_seed(folder: Path) -> dict[int, Path]:
    """Return the folder's files {seed}.safetensors in the order of their seeds. Raise UserError for another name."""
    paths = list(folder.glob("*.safetensors"))
    for path in paths:
        if not path.stem.isdecimal():
            raise UserError(f"{path}: not named by a seed, as 0.safetensors, 1.safetensors, ... are")
    return {int(path.stem): path for path in sorted(paths, key=lambda path: int(path.stem))}


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
