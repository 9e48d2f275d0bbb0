"""`python -m fer export SYSTEM`: a trained network as one file for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fer.errors import UserError
from fer.params import Params, load_params

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REAL = "fer2013"  # a network for people's faces, where no dataset is named


@click.command()
@click.argument("system")
@click.option("--format", "kind", type=click.Choice(["onnx"]), default="onnx", show_default=True)
@click.option("--int8", is_flag=True, help="eight bits: a quarter of the size")
@click.option("--seed", type=int, help="the best one on PublicTest if left out")
@click.option("--dataset", help=f"that it was trained on; {REAL} if left out, else the one in params.yaml")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="SYSTEM.onnx here if left out")
def export(system: str, kind: str, int8: bool, seed: int | None, dataset: str | None, out: Path | None) -> None:
    """Write the trained network SYSTEM with its normalisation inside.

    Input `faces`, uint8 (N, 48, 48), grey values 0..255. Output `probabilities`, float32 (N, 7).
    """
    params = load_params()
    require_known(params, system, dataset)
    from fer.app.exported import agreement  # noqa: PLC0415 - torch and onnxruntime take seconds
    from fer.app.trained import find_weights  # noqa: PLC0415

    datasets = [dataset] if dataset else list(dict.fromkeys((REAL, params.dataset)))
    weights = find_weights(system, datasets, seed)
    out = out or Path(f"{system}_int8.{kind}" if int8 else f"{system}.{kind}")
    note = write(weights, out, params, int8=int8)
    click.echo(
        f"{out}: {out.stat().st_size:,} bytes, from {weights}\nopset {params.export.opset}{note}; "
        f"probabilities within {agreement(weights, out):.1g} of PyTorch's on drawn faces"
    )


def require_known(params: Params, system: str, dataset: str | None) -> None:
    if system not in params.systems:
        raise UserError(f"{system}: no such system; known: {', '.join(params.systems)}")
    if dataset is not None and dataset not in params.datasets:
        raise UserError(f"dataset={dataset}: no such name; known: {', '.join(params.datasets)}")


def write(weights: Path, out: Path, params: Params, *, int8: bool) -> str:
    """Writes the file; what is to be said of its calibration."""
    import tempfile  # noqa: PLC0415

    from fer.app.export import export_onnx  # noqa: PLC0415
    from fer.app.quantise import quantise  # noqa: PLC0415

    if not int8:
        export_onnx(weights, out, opset=params.export.opset)
        return ""
    faces, origin = faces_for(weights, params.export.calibration_faces)
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(weights, Path(folder) / "float.onnx", opset=params.export.opset)
        quantise(Path(folder) / "float.onnx", out, faces)
    return f", calibrated on {len(faces)} {origin}"


def faces_for(weights: Path, count: int) -> "tuple[NDArray[np.uint8], str]":
    """Training's faces, (N, 48, 48), of the dataset the network was trained on; drawn ones where they are not here."""
    from fer.app.quantise import calibration_faces  # noqa: PLC0415
    from fer.data.store import open_store, read_split  # noqa: PLC0415
    from fer.emotions import Split  # noqa: PLC0415
    from fer.models.classifier import load_classifier  # noqa: PLC0415

    store = Path("data") / "normalised" / f"{load_classifier(weights)[1]['dataset']}.h5"
    if not store.exists():
        return drawn(count), f"drawn faces: {store} is not here"
    with open_store(store) as file:
        return calibration_faces(read_split(file, Split.training).images, count), f"faces of {store}'s Training"
