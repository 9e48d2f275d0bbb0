"""export: a system's best seed on PublicTest as ONNX, in float and in eight bits, and what both are worth."""

from pathlib import Path

import click

from fer.files import write_json
from fer.not_run import is_noted, leave_note
from fer.params import load_params
from stages import clear_errors

PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--models", required=True, type=PATH)
@click.option("--store", required=True, type=PATH)
@click.option("--out", required=True, type=PATH)
@click.option("--metrics", required=True, type=PATH)
@clear_errors
def main(*, models: Path, store: Path, out: Path, metrics: Path) -> None:
    if is_noted(models):
        leave_note(out)
        write_json(metrics, {})
        return
    from fer.app.exported import export_system  # noqa: PLC0415 - as in stages/train.py

    settings = load_params().export
    export_system(models, store, out, metrics, faces=settings.calibration_faces, opset=settings.opset)


if __name__ == "__main__":
    main()
