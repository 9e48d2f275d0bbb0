"""What a person does with a trained network: `predict`, `evaluate-folder`, `app`. They run in any folder.

Imports that take seconds (torch, OpenCV, gradio) stand inside the functions: every other command would wait for them.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fer.cli.command import FAILED_ALL, Command
from fer.cli.output import print_utf8
from fer.errors import UserError
from fer.files import rounded

if TYPE_CHECKING:
    from fer.app.photos import Pixels, Reader
    from fer.app.predict import Crops, Result
    from fer.app.recogniser import Recogniser

DEFAULT_MODEL = "flagship_small"  # the best published network (docs/use.md)
MANY = 20  # files, from which on a bar shows the progress
FAILED_SOME = 2  # click's own for a wrong option, which is FAILED_ALL here


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
    model = click.option(
        "--model",
        metavar="FILE|NAME[/SEED][,...]",
        default=DEFAULT_MODEL,
        show_default=True,
        help="a .safetensors file, a system trained in this folder (its best seed if none is named) or a published "
        "one; of several, the mean of their probabilities",
    )
    return model(device(command))


def load_model(model: str, device: str) -> "Recogniser":
    from fer.app.recogniser import load_recogniser  # noqa: PLC0415

    return load_recogniser(model, device=device)


def cropping(*, faces: bool) -> "Callable[[Pixels], Crops]":
    """Return what finds a picture's faces; with `faces` the picture is one."""
    from fer.app.faces import load_detector  # noqa: PLC0415
    from fer.app.predict import crops_by, whole_picture  # noqa: PLC0415

    return whole_picture if faces else crops_by(load_detector())


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
    from fer.app.photos import Reader, find_photos, left_out_line  # noqa: PLC0415
    from fer.app.predict import Result, recognise  # noqa: PLC0415

    reader = Reader()
    found = find_photos(photos)
    recogniser = load_model(model, device)
    seen = Seen()
    with progress(found.pictures, quiet=sys.stdout.isatty() and not as_json) as shown:
        results = [Result(name, error=error) for name, error in found.failed.items()]
        stream = recognise(shown, reader, cropping(faces=faces), recogniser.probabilities)
        write(annotated(seen.all(results, stream), annotate, reader), as_json=as_json, as_csv=as_csv, model=recogniser)
    if found.left_out:
        click.echo(left_out_line(found.left_out), err=True)
    seen.finish(faces=faces)
    if seen.failed:
        sys.exit(FAILED_ALL if seen.failed == len(found.pictures) + len(found.failed) else FAILED_SOME)


def progress(names: Sequence[str], *, quiet: bool) -> Any:
    """Show a bar on standard error for many files, where a person looks at it and no lines run through it."""
    hidden = quiet or len(names) < MANY or not sys.stderr.isatty()
    return click.progressbar(names, file=sys.stderr, hidden=hidden, label="photos")


class Seen:
    """Counts results as they pass, and says on standard error what failed."""

    def __init__(self) -> None:
        self.failed = self.small_squares = 0

    def all(self, *parts: "Iterable[Result]") -> "Iterator[Result]":
        for results in parts:
            for result in results:
                if result.error:
                    click.echo(f"error: {result.file}: {result.error}", err=True)
                self.failed += result.error is not None
                self.small_squares += result.is_small_square
                yield result

    def finish(self, *, faces: bool) -> None:
        """Give the hint that small square pictures ask for."""
        if self.small_squares and not faces:
            click.echo(
                f"{self.small_squares:,} small square pictures: "
                "if they are cropped faces, --faces takes them as they are",
                err=True,
            )


def annotated(results: "Iterable[Result]", folder: Path | None, reader: "Reader") -> "Iterator[Result]":
    """Pass the results on and write the pictures that have faces. A photo is read a second time: none is kept."""
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


def write(results: "Iterable[Result]", *, as_json: bool, as_csv: bool, model: "Recogniser") -> None:
    """Print the results as asked for."""
    from fer.app import predict as rows  # noqa: PLC0415

    if as_json:
        print_json({"model": model.names, "files": [rows.as_json(result) for result in results]})
    elif as_csv:
        table = csv.DictWriter(sys.stdout, rows.CSV_HEADER, lineterminator="\n")
        table.writeheader()
        for result in results:
            table.writerows(rows.as_rows(result))
    else:
        for result in results:
            for face in result.faces:
                print(rows.as_line(result.file, face))
            if not result.faces and not result.error:
                print(f"{result.file}: no face found")


def print_json(content: dict[str, Any]) -> None:
    print_utf8(json.dumps(content, indent=2, ensure_ascii=False))


@click.command("evaluate-folder", cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="every number as one JSON document")
@click.option("--faces", is_flag=True, help="the pictures are cropped faces already: nothing is detected")
@click.option("--labels", metavar="1=surprise,2=fear,...", help="what numbers as names of sub-folders mean")
@with_model
def evaluate_folder(folder: Path, *, as_json: bool, faces: bool, labels: str | None, model: str, device: str) -> None:
    """Measure how well a model names the faces in DIR, which has one sub-folder for each emotion.

    Sub-folders may be called anger, angry, 0, 0_angry and so on; numbers are FER2013's (0 anger, 1 disgust, 2 fear,
    3 happy, 4 sad, 5 surprise, 6 neutral) unless --labels says otherwise. Of each picture the largest face counts.

    Exit status: 0 when every picture was read, 2 when some failed, 1 when nothing could be evaluated.
    """
    from fer.app.folder import ORDER, evaluate, labelled_pictures, parse_labels, show  # noqa: PLC0415
    from fer.app.photos import Reader, left_out_line  # noqa: PLC0415
    from fer.app.predict import recognise  # noqa: PLC0415

    pictures = labelled_pictures(folder, ORDER if labels is None else parse_labels(labels))
    for note in pictures.notes:
        click.echo(note, err=True)
    recogniser = load_model(model, device)
    seen = Seen()
    with progress([*pictures.labels], quiet=False) as shown:
        stream = recognise(shown, Reader(), cropping(faces=faces), recogniser.probabilities)
        found = evaluate(seen.all(stream), pictures.labels)
    if as_json:
        print_json({"model": recogniser.names} | rounded(found))
    else:
        show(found)
    if pictures.left_out:
        click.echo(left_out_line(pictures.left_out), err=True)
    seen.finish(faces=faces)
    if seen.failed:
        sys.exit(FAILED_SOME)


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in")
@click.option("--port", type=click.IntRange(1, 65535), help="the first free one from 7860 on if left out")
@with_model
def app(*, host: str, port: int | None, model: str, device: str) -> None:
    """Open the web page: a photo or the camera in, each face with its emoji and seven bars out.

    Browsers let a page use the camera only on this machine (127.0.0.1) or over https.
    """
    from fer.app.faces import load_detector  # noqa: PLC0415
    from fer.app.surroundings import prepared_for_gradio  # noqa: PLC0415

    recogniser, detector = load_model(model, device), load_detector()
    with prepared_for_gradio():
        from fer.app.page import build_page, serve  # noqa: PLC0415 - it reads the environment when it is imported

        page = build_page(recogniser, detector)
        click.echo(f"{serve(page, host=host, port=port)}  (Ctrl+C ends it)")
        page.block_thread()
