"""What a person does with a trained network: `predict`, `evaluate-folder`, `app`.

Imports that take seconds (torch, OpenCV, gradio) stand inside the functions: every other command would wait for them.
"""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from fer.errors import UserError
from fer.files import rounded
from fer.params import load_params

if TYPE_CHECKING:
    from fer.app.faces import Detector
    from fer.app.photos import Reader
    from fer.app.predict import Result
    from fer.app.recogniser import Recogniser

DEFAULT_MODEL = "cs231n_student"  # kept in git
REAL = "fer2013"  # people's faces: a network trained on them is looked for first
MANY = 20  # files, from which on a bar shows the progress
FAILED_ALL, FAILED_SOME = 1, 2


class WrongUsage(click.UsageError):
    exit_code = FAILED_ALL


class Command(click.Command):
    """A wrong option or argument ends with status 1: click's own 2 means that some files failed."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **options)
        except click.UsageError as error:
            raise WrongUsage(error.format_message(), error.ctx) from None


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
    model = click.option(
        "--model",
        metavar="NAME[/SEED][,...]",
        default=DEFAULT_MODEL,
        show_default=True,
        help="a system trained here or kept in git, its best seed if none is named, or a .safetensors file; "
        "of several, the mean of their probabilities",
    )
    return model(device(command))


def load_model(model: str, device: str) -> "Recogniser":
    from fer.app.recogniser import load_recogniser  # noqa: PLC0415

    datasets = tuple(dict.fromkeys((REAL, load_params().dataset)))
    return load_recogniser(model, datasets=datasets, device=device)


def load_face_detector() -> "Detector":
    from fer.app.faces import load_detector  # noqa: PLC0415

    folder = load_params().transfer.weights_dir or os.environ.get("FER_WEIGHTS")
    return load_detector(Path(folder) if folder else None)


@click.command(cls=Command)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON document: each file with its faces or its error")
@click.option("--csv", "as_csv", is_flag=True, help="a row a face, with all seven probabilities")
@click.option("--annotate", metavar="DIR", type=click.Path(path_type=Path), help="write the photos with boxes to DIR")
@click.option("--faces", is_flag=True, help="the pictures are cropped faces already: nothing is detected")
@with_model
def predict(
    photos: tuple[str, ...], *, as_json: bool, as_csv: bool, annotate: Path | None, faces: bool, model: str, device: str
) -> None:
    """Find the faces in each PHOTO and name their emotions.

    PHOTO is a file, a folder, a quoted glob, or - for standard input. Each face is a line: file, box
    (left,top width x height, in pixels), emotion, probability, second choice.

    Exit status: 0 when every file was read (a photo without a face is an answer), 2 when some files failed, 1 when
    nothing could be done: all failed, or an option is wrong.
    """
    if as_json and as_csv:
        raise UserError("--json and --csv: one of them")
    if annotate and annotate.exists() and not annotate.is_dir():
        raise UserError(f"--annotate {annotate}: not a folder")
    from fer.app.photos import Reader, find_photos  # noqa: PLC0415
    from fer.app.predict import Result, crops_by, recognise, whole_picture  # noqa: PLC0415

    reader = Reader()
    names, not_found = find_photos(photos)
    recogniser = load_model(model, device)
    crops_of = whole_picture if faces else crops_by(load_face_detector())
    with progress(names, quiet=sys.stdout.isatty() and not as_json) as shown:
        results = [Result(name, error=error) for name, error in not_found.items()]
        stream = recognise(shown, reader, crops_of, recogniser.probabilities)
        failed = write(
            annotated(told(results, stream), annotate, reader), as_json=as_json, as_csv=as_csv, model=recogniser
        )
    total = len(names) + len(not_found)
    if failed:
        sys.exit(FAILED_ALL if failed == total else FAILED_SOME)


def progress(names: list[str], *, quiet: bool) -> Any:
    """A bar on standard error for many files, where a person looks at it and no lines run through it."""
    hidden = quiet or len(names) < MANY or not sys.stderr.isatty()
    return click.progressbar(names, file=sys.stderr, hidden=hidden, label="photos")


def told(first: "list[Result]", rest: "Iterable[Result]") -> "Iterator[Result]":
    """All results; what failed is said on standard error as it happens."""
    for results in (first, rest):
        for result in results:
            if result.error:
                click.echo(f"error: {result.file}: {result.error}", err=True)
            yield result


def annotated(results: "Iterable[Result]", folder: Path | None, reader: "Reader") -> "Iterator[Result]":
    """Passes the results on; writes the pictures that have faces. A photo is read a second time: none is kept."""
    if folder is None:
        yield from results
        return
    from fer.app.annotate import Annotations  # noqa: PLC0415

    annotations = Annotations(folder)
    for result in results:
        if result.faces:
            try:
                annotations.write(result.file, reader(result.file), result.faces)
            except OSError as error:
                raise UserError(f"--annotate {folder}: {error.strerror or error}") from None
        yield result


def write(results: "Iterable[Result]", *, as_json: bool, as_csv: bool, model: "Recogniser") -> int:
    """On standard output, as asked for; returns how many files failed."""
    from fer.app import predict as rows  # noqa: PLC0415

    failed, documents = 0, []
    table = csv.DictWriter(sys.stdout, rows.CSV_HEADER, lineterminator="\n")
    if as_csv:
        table.writeheader()
    for result in results:
        failed += result.error is not None
        if as_json:
            documents.append(rows.as_json(result))
        elif as_csv:
            table.writerows(rows.as_row(result.file, face) for face in result.faces)
        elif result.faces:
            click.echo("\n".join(rows.as_line(result.file, face) for face in result.faces))
        elif not result.error:
            click.echo(f"{result.file}: no face found")
    if as_json:
        click.echo(json.dumps({"model": model.names, "files": documents}, indent=2, ensure_ascii=False))
    return failed


@click.command("evaluate-folder", cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="every number as one JSON document")
@click.option("--faces", is_flag=True, help="the pictures are cropped faces already: nothing is detected")
@with_model
def evaluate_folder(folder: Path, *, as_json: bool, faces: bool, model: str, device: str) -> None:
    """How well a model names the faces in DIR, which has one sub-folder for each emotion.

    Sub-folders may be called anger, angry, 0, 0_angry and so on; numbers are FER2013's (0 anger, 1 disgust, 2 fear,
    3 happy, 4 sad, 5 surprise, 6 neutral). Of each picture the largest face counts.

    Exit status: 0 when every picture was read, 2 when some failed, 1 when nothing could be evaluated.
    """
    from fer.app.folder import evaluate, labelled_pictures, show  # noqa: PLC0415
    from fer.app.photos import Reader  # noqa: PLC0415
    from fer.app.predict import crops_by, recognise, whole_picture  # noqa: PLC0415

    labels, others = labelled_pictures(folder)
    for name in others:
        click.echo(f"{folder / name}: not called like one of the seven emotions; left out", err=True)
    recogniser = load_model(model, device)
    crops_of = whole_picture if faces else crops_by(load_face_detector())
    with progress([*labels], quiet=False) as shown:
        found = evaluate(told([], recognise(shown, Reader(), crops_of, recogniser.probabilities)), labels)
    if as_json:
        click.echo(json.dumps({"model": recogniser.names} | rounded(found), indent=2, ensure_ascii=False))
    else:
        show(found, Console())
    if found["failed"]:
        sys.exit(FAILED_SOME)


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in")
@click.option("--port", type=click.IntRange(1, 65535), help="the first free one from 7860 on if left out")
@with_model
def app(*, host: str, port: int | None, model: str, device: str) -> None:
    """Open the web page: a photo or the camera in, each face with its emoji and seven bars out.

    Browsers let a page use the camera only on this machine (127.0.0.1) or over https.
    """
    recogniser, detector = load_model(model, device), load_face_detector()
    from fer.app.page import build_page, serve  # noqa: PLC0415

    page = build_page(recogniser, detector)
    click.echo(f"{serve(page, host=host, port=port)}  (Ctrl+C ends it)")
    page.block_thread()
