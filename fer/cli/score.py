"""`python -m fer score PREDICTIONS`: anybody's predictions of FER2013's test faces, measured as our own are.

Imports that take seconds stand inside the functions, as in fer/cli/photos.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fer.app import CHECKOUT
from fer.cli.command import Command
from fer.cli.output import print_utf8
from fer.cli.photos import print_json
from fer.config.params import PARAMS, load_params
from fer.errors import UserError
from fer.files import rounded

if TYPE_CHECKING:
    from rich.table import Table

    from fer.evaluation.paired import Seeds
    from fer.predictions.format import Splits

PREDICTIONS, ENSEMBLE = Path("data/predictions"), Path("data/ensemble")
COLUMNS = ("PublicTest", "PrivateTest", "leak-free", "no near-duplicates")  # of docs/results.md: the TEST_SETS
SHARES = {"macro F1": "macro_f1", "top-2": "top2_accuracy"}


@click.command(cls=Command)
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option("--against", metavar="SYSTEM[/SEED]", help="the paired test with this one alone, instead of all systems")
@click.option("--name", help="in the tables; the file's name if left out")
@click.option("--json", "as_json", is_flag=True, help="every number as one JSON document")
@click.option("--markdown", "as_markdown", is_flag=True, help="the row for the table of docs/results.md")
def score(predictions: Path, *, against: str | None, name: str | None, as_json: bool, as_markdown: bool) -> None:
    """Measure anybody's PREDICTIONS of FER2013's test faces under this project's protocol.

    A CSV (with a header or without), .npy or .safetensors: seven probabilities or logits a face, in FER2013's order
    (0 anger, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral) or in named columns, or one label. A row for
    each face of PublicTest, then of PrivateTest, as the CSV has them; or of all 35,887; or with a column `row`, the
    CSV's data row from 0, in any order.

    The labels come from the predictions of the pipeline in this folder, else from those that git keeps.
    """
    if as_json and as_markdown:
        raise UserError("--json and --markdown: one of them")
    from fer.app.answers import read_answers  # noqa: PLC0415
    from fer.constants import TEST_SPLITS  # noqa: PLC0415
    from fer.evaluation.score import align, compare_answers, label_order_hint, measure_answers  # noqa: PLC0415

    home = pipeline()
    systems = systems_of(home, against)
    reference = next(iter(systems.values()))
    faces = next(iter(reference.values()))
    answers = read_answers(predictions)
    try:
        splits, kind = align(answers, faces)
    except UserError as error:
        raise UserError(f"{predictions}: {error}") from None
    settings = load_params(home / PARAMS).evaluate
    bootstrap = {"resamples": settings.resamples, "seed": settings.bootstrap_seed}
    name = name or predictions.stem
    found = {
        "file": str(predictions),
        "answers": len(answers.values),
        "kind": kind,
        "hint": label_order_hint(splits[TEST_SPLITS[0]]),
        **measure_answers(splits, kind, bootstrap),
    }
    if as_markdown:
        print_utf8(markdown_row(name, found))
    else:
        found["against"] = compare_answers(name, splits, systems, bootstrap)
        print_json(rounded(found)) if as_json else show(found)
    if found["hint"] and not as_json:
        click.echo(found["hint"], err=True)


def pipeline() -> Path:
    """Return the folder whose predictions give the labels: the current one, else the checkout. Raise UserError."""
    for home in (Path(), CHECKOUT):
        if any((home / PREDICTIONS).glob("*/*.safetensors")):
            return home
    raise UserError(f"no predictions in {PREDICTIONS.absolute()} or {CHECKOUT / PREDICTIONS}: nothing has the labels")


def systems_of(home: Path, against: str | None) -> "dict[str, Seeds]":
    """Return the seeds of every system and of the ensemble, or of `against` alone, by name."""
    from fer.predictions.format import read_seeds  # noqa: PLC0415

    folders = [*sorted((home / PREDICTIONS).iterdir()), home / ENSEMBLE]
    known = {folder.name: folder for folder in folders if any(folder.glob("*.safetensors"))}
    if against is None:
        return {name: read_seeds(folder)[0] for name, folder in known.items()}
    name, _, seed = against.partition("/")
    seeds = read_seeds(known[name])[0] if name in known else {}
    chosen: dict[int, Splits] = {number: of for number, of in seeds.items() if seed in ("", str(number))}
    if not chosen:
        raise UserError(f"--against {against}: no such predictions; there are {', '.join(known)}")
    return {against: chosen}


def markdown_row(name: str, found: Mapping[str, Any]) -> str:
    """Return the table of docs/results.md with one row: what predictions do not say is left open."""
    from fer.evaluation.metrics import TEST_SETS  # noqa: PLC0415
    from fer.report.tables import NOT_MEASURED, RESULT_COLUMNS, markdown  # noqa: PLC0415

    accuracies = {column: per_cent(found[of]["accuracy"]) for column, of in zip(COLUMNS, TEST_SETS, strict=True)}
    cells = (
        dict.fromkeys(RESULT_COLUMNS, NOT_MEASURED) | {"system": name.replace("|", "\\|"), "seeds": "1"} | accuracies
    )
    return markdown([*RESULT_COLUMNS], [[*cells.values()]])


def per_cent(share: float) -> str:
    return f"{100 * share:.1f}"


def show(found: Mapping[str, Any]) -> None:
    """Print the numbers for people."""
    from rich.console import Console  # noqa: PLC0415

    from fer.app.folder import class_table  # noqa: PLC0415
    from fer.report.tables import sentence  # noqa: PLC0415

    console = Console()
    plain: dict[str, Any] = {"highlight": False, "markup": False, "soft_wrap": True}
    console.print(f"{found['file']}: {found['answers']:,} answers, {found['kind']}", **plain)
    console.print(sets_table(found))
    console.print(class_table(found["PrivateTest"]))
    lines = [leak_line(found), *calibration_lines(found), "", *map(sentence, found["against"].values())]
    console.print("\n" + "\n".join(lines), **plain)


def sets_table(found: Mapping[str, Any]) -> "Table":
    from fer.app.folder import plain_table  # noqa: PLC0415
    from fer.evaluation.metrics import TEST_SETS  # noqa: PLC0415

    shares = {column: metric for column, metric in SHARES.items() if metric in found["PrivateTest"]}
    table = plain_table("\nper cent", "faces of", ("faces", "accuracy", "95 % interval", *shares))
    for column, test_set in zip(COLUMNS, TEST_SETS, strict=True):
        of = found[test_set]
        interval = f"{per_cent(of['accuracy_low'])} to {per_cent(of['accuracy_high'])}"
        metrics = (per_cent(of[metric]) for metric in shares.values())
        table.add_row(column, f"{of['faces']:,}", per_cent(of["accuracy"]), interval, *metrics)
    return table


def leak_line(found: Mapping[str, Any]) -> str:
    parts = [
        f"{per_cent(of['accuracy'])} on {of['faces']:,} {group.replace('_', ' ')}"
        for group, of in found["leaks"].items()
        if of["faces"]
    ]
    return f"PrivateTest's faces that Training has too: {', '.join(parts)}"


def calibration_lines(found: Mapping[str, Any]) -> list[str]:
    if "calibration" not in found:
        return ["labels alone: no calibration, top-2 or log loss"]
    calibration = found["calibration"]
    before, after = calibration["before"], calibration["after"]
    return [
        f"calibration: ECE {per_cent(before['ece'])}, log loss {before['log_loss']:.3f}; divided by PublicTest's "
        f"temperature {calibration['temperature']:.2f}: {per_cent(after['ece'])}, {after['log_loss']:.3f}"
    ]
