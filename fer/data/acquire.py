"""data/source, whatever form of FER2013 lies there -> the competition's CSV, and FER+ votes on its rows.

A CSV goes before images, images before an archive. The CSVs hold the competition's exact pixels; images that were saved
as JPEG have lost a little. The user's files are read, never changed, moved or linked.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from fer.data.archives import unpack
from fer.data.fer2013 import (
    BLOCK_BYTES,
    COLUMNS,
    MAX_LINE,
    Fer2013Error,
    Layout,
    layout_of,
    read_header,
    read_lines,
    require_file,
    split_line,
)
from fer.data.images import write_images
from fer.data.kinds import Kind, head_of, kind_of, refusal
from fer.data.names import by_suffix, files_below
from fer.data.votes import is_votes, require_same_faces, write_votes
from fer.errors import WAYS_TO_FER2013, UserError
from fer.ferplus import VotesError, read_votes
from fer.files import atomic_write

HEADER = ",".join(COLUMNS).encode()
MAX_NESTING = 2  # the competition's zip holds a fer2013.tar.gz
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")


class SourceError(UserError):
    """A source from which no FER2013 CSV can be made; the message names the file and what to do."""


def acquire(source: Path, raw: Path, votes: Path) -> list[str]:
    """Write the competition's CSV to `raw` and FER+ votes, or their header alone, to `votes`; each whole or not at all.

    Return lines that say what was read and what was not. Raise SourceError, Fer2013Error, ImagesError, ArchiveError or
    VotesError, all of them UserErrors.
    """
    if not source.exists() or (source.is_dir() and not files_below(source)):
        raise SourceError(
            f"{source.absolute()}: {'empty' if source.exists() else 'not there'}; no FER2013\n{WAYS_TO_FER2013}"
        )
    lines = acquire_faces(source, raw)
    return [*lines, acquire_votes(source, raw, votes)]


def acquire_faces(source: Path, out: Path, *, nesting: int = 0) -> list[str]:
    """Write a CSV, a folder of images or an archive of either as the competition's CSV; return what was read."""
    if source.is_dir():
        return _from_folder(source, out, nesting)
    if not source.exists():
        raise SourceError(f"{source.absolute()}: no such file or folder")
    require_file(source)
    head = head_of(source)
    kind = kind_of(source, head)
    if kind is Kind.other:
        return _from_csv(source, out)
    if kind in (Kind.refused, Kind.picture):
        raise SourceError(f"{source}: {refusal(source, head) or 'a picture; expected a folder of them'}")
    if nesting == MAX_NESTING:
        raise SourceError(f"{source.name}: an archive in an archive in an archive; unpack it first")
    return _from_archive(source, out, nesting + 1)


def _from_archive(source: Path, out: Path, nesting: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="fer2013-") as folder:
        try:
            unpack(source, Path(folder))
            lines = _from_folder(Path(folder), out, nesting)
        except UserError as error:
            # The folder is gone when the message is read: the member's place in the archive is not.
            raise SourceError(str(error).replace(folder, str(source))) from None
    return [line.replace(folder, str(source)) for line in lines]


def _from_folder(folder: Path, out: Path, nesting: int) -> list[str]:
    files = _sorted_by_use(folder)
    for use in ("csv", "picture", "archive"):
        if not (found := files.pop(use, [])):
            continue
        if use == "picture":
            lines = [f"{len(found):,} images of {folder}", *write_images(found, folder, out)]
        elif len(found) > 1:
            named = "\n".join(map(str, found))
            raise SourceError(f"{folder}: several files could be FER2013; leave one of them there:\n{named}")
        else:
            lines = acquire_faces(found[0], out, nesting=nesting)
        unused = sorted(path for use, paths in files.items() if use != "votes" or nesting for path in paths)
        return [*lines, *([f"not used: {_listed(unused)}"] if unused else [])]
    raise SourceError(_nothing_found(folder, files))


def _sorted_by_use(folder: Path) -> dict[str, list[Path]]:
    """Return the files below a folder as csv, votes, picture, archive, refused and other."""
    uses: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(folder):
        require_file(path)
        head = head_of(path)
        kind = kind_of(path, head)
        if kind is Kind.other:
            with path.open("rb") as file:
                is_csv = layout_of(file.readline(MAX_LINE)) is not None
            uses["csv" if is_csv else "votes" if is_votes(head) else "other"].append(path)
        else:
            uses["archive" if kind in (Kind.zip, Kind.tar, Kind.compressed) else str(kind)].append(path)
    return uses


def _nothing_found(folder: Path, files: dict[str, list[Path]]) -> str:
    """Return what is wrong with the one file that was probably meant, else that there is none."""
    for path in files.get("refused", []):
        return f"{path}: {refusal(path, head_of(path))}"
    others = files.get("other", [])
    for path in sorted(others, key=lambda path: path.name.lower() not in CSV_NAMES):
        if path.suffix.lower() == ".csv" or len(others) == 1:
            try:
                with path.open("rb") as file:
                    read_header(path, file)
            except Fer2013Error as error:
                return str(error)
    found = f" (found {by_suffix(others)})" if others else ""
    return f"{folder.absolute()}: holds no {' or '.join(CSV_NAMES)} and no images{found}\n{WAYS_TO_FER2013}"


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths) if len(paths) <= 4 else by_suffix(paths)


def _from_csv(source: Path, out: Path) -> list[str]:
    with source.open("rb") as file, atomic_write(out) as temporary:
        layout = read_header(source, file)
        with temporary.open("wb") as target:
            if _has_canonical_header(file):
                # A hard link would save the copy, but DVC makes its cache read-only: the user's file too.
                shutil.copyfileobj(file, target, BLOCK_BYTES)
            else:
                target.write(HEADER + b"\n")
                for lines in read_lines(file, BLOCK_BYTES):
                    target.writelines(_canonical_row(line, layout) for line in lines)
    return [str(source)]


def _has_canonical_header(file: BinaryIO) -> bool:
    """Leave the file at its beginning if the header is the competition's to the byte, else after it."""
    file.seek(0)
    if file.readline(MAX_LINE).rstrip(b"\r\n") != HEADER:
        return False
    file.seek(0)
    return True


def _canonical_row(line: bytes, layout: Layout) -> bytes:
    """Return the columns in the competition's order; a line that is no row stays as it is, for ingest to reject."""
    fields = split_line(line, layout)
    if fields is None:
        return line + b"\n"
    return b",".join(fields[column].strip(b" ") for column in layout[:3]) + b"\n"


def acquire_votes(source: Path, raw: Path, out: Path) -> str:
    """Write FER+'s votes of `source`, or the header alone where there are none; return a line that says which."""
    files = files_below(source) if source.is_dir() else []
    found = [path for path in files if path.name.lower() == "fer2013new.csv" or is_votes(head_of(path))]
    if len(found) > 1:
        raise SourceError(f"{source}: several files of FER+ votes; leave one there:\n" + "\n".join(map(str, found)))
    if not found:
        return keep_votes(raw, out)
    votes = read_votes(found[0])
    if votes:
        require_same_faces(votes, raw, named=found[0])
    write_votes(out, votes.lines() if votes else [])
    return f"{found[0]}: FER+ votes on {len(votes.usages) if votes else 0:,} rows"


def keep_votes(raw: Path, out: Path) -> str:
    """Leave the votes that git has in `out` where they are on these faces, else a header alone; return a line."""
    try:
        votes = read_votes(out) if out.exists() else None
        if votes:
            require_same_faces(votes, raw, named=out)
            return f"{out}: FER+ votes on {len(votes.usages):,} rows, as git has them"
    except VotesError:
        pass
    write_votes(out, [])
    return "no FER+ votes (fer2013new.csv)"
