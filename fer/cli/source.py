"""`python -m fer source`: links to the user's files in data/source/, where `acquire` looks for them."""

import os
from pathlib import Path

import click

from fer.cli.command import Command
from fer.errors import UserError

SOURCE = Path("data/source")


@click.command(cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--from", "folder", default=".", help="the folder that a relative PATH starts from")
def source(paths: tuple[str, ...], folder: str) -> None:
    """Put links to FER2013 (and FER+'s fer2013new.csv) into data/source/.

    Links of an earlier call go; files that are no links are never touched.
    """
    targets = [found(path, Path(folder)) for path in paths]
    if SOURCE.is_symlink() or (SOURCE.exists() and not SOURCE.is_dir()):
        raise UserError(f"{SOURCE.absolute()}: is yours and no folder; put a link into a folder of that name instead")
    SOURCE.mkdir(parents=True, exist_ok=True)
    links = [SOURCE / target.name for target in targets]
    if len(set(links)) < len(links):
        raise UserError(f"{', '.join(map(str, targets))}: {SOURCE} has room for one of a name; rename one of them")
    for link in links:
        if link.exists() and not link.is_symlink():
            raise UserError(f"{link.absolute()}: a file of yours has that name; it is used as it is, or move it away")
    for old in SOURCE.iterdir():
        if old.is_symlink():
            click.echo(f"{old} -> {old.readlink()}: the link goes, its file stays")
            old.unlink()
    for link, target in zip(links, targets, strict=True):
        link.symlink_to(target)
        click.echo(f"{link} -> {target}")


def found(path: str, folder: Path) -> Path:
    """Return the absolute path. Raise UserError where nothing is."""
    if not path:
        raise UserError("make fer2013 CSV=path: the path of FER2013 (a CSV, an archive or a folder of images)")
    expanded = os.path.expanduser(path)  # noqa: PTH111 - pathlib ends at ~name where nobody is called so
    target = (folder / expanded).absolute()
    if not target.exists():
        raise UserError(f"{target}: no such file or folder")
    if SOURCE.resolve() in (target.parent.resolve(), target.resolve()):  # a link there would lead to itself
        raise UserError(f"{target}: lies in {SOURCE} already; `make fer2013` without CSV= takes it from there")
    if SOURCE.resolve().is_relative_to(target.resolve()):
        raise UserError(f"{target.resolve()}: holds {SOURCE} itself; name the dataset's own folder")
    return target
