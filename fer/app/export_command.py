"""`python -m fer export SYSTEM`: a trained network as one file for other programs.

Imports that take seconds (torch, onnxruntime) stand inside the functions: every other command would wait for them.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fer.errors import UserError
from fer.params import Params, load_params

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REAL = "fer2013"  # people's faces: a network trained on them is what is meant where no dataset is named


@click.command()
@click.argument("system")
@click.option("--format", "kind", type=click.Choice(["onnx"]), default="onnx", show_default=True)
@click.option("--int8", is_flag=True, help="eight bits: a quarter of the size")
@click.option("--seed", type=int, help="the best one on PublicTest if left out")
@click.option("--dataset", help=f"that it was trained on; if left out {REAL}, then the one in params.yaml")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="SYSTEM.onnx here if left out")
def export(system: str, *, kind: str, int8: bool, seed: int | None, dataset: str | None, out: Path | None) -> None:
    """Write the trained network SYSTEM with its normalisation inside.

    Input `faces`: uint8 (N, 48, 48), grey values 0..255. Output `probabilities`: float32 (N, 7).
    """
    params = load_params()
    require_known(params, system, dataset)
    from fer.app.drawn import drawn_faces  # noqa: PLC0415
    from fer.app.exported import difference  # noqa: PLC0415
    from fer.app.trained import find_weights  # noqa: PLC0415

    weights = find_weights(system, [dataset] if dataset else list(dict.fromkeys((REAL, params.dataset))), seed)
    out = out or Path(f"{system}_int8.{kind}" if int8 else f"{system}.{kind}")
    note = write(weights, out, params, int8=int8)
    apart = difference(weights, out, drawn_faces(70))
    click.echo(
        f"{out}: {out.stat().st_size:,} bytes, opset {params.export.opset}\nfrom {weights}{note}\n"
        f"largest difference from PyTorch's probabilities on drawn faces: {apart:.1g}"
    )


def require_known(params: Params, system: str, dataset: str | None) -> None:
    if system not in params.systems:
        raise UserError(f"{system}: no such system; known: {', '.join(params.systems)}")
    if dataset is not None and dataset not in params.datasets:
        raise UserError(f"dataset={dataset}: no such name; known: {', '.join(params.datasets)}")


def write(weights: Path, out: Path, params: Params, *, int8: bool) -> str:
    """Writes the file; what there is to say of its calibration."""
    from fer.app.export import export_onnx  # noqa: PLC0415
    from fer.app.quantise import quantise  # noqa: PLC0415

    if not int8:
        export_onnx(weights, out, opset=params.export.opset)
        return ""
    faces, origin = faces_for(weights, params.export.calibration_faces)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float.onnx"
        export_onnx(weights, whole, opset=params.export.opset)
        quantise(whole, out, faces)
    return f", calibrated on {len(faces)} {origin}"


def faces_for(weights: Path, count: int) -> "tuple[NDArray[np.uint8], str]":
    """Training's faces, (N, 48, 48), of the dataset that the network learned from; drawn ones where it is not here."""
    from fer.app.calibration import training_faces  # noqa: PLC0415
    from fer.app.drawn import drawn_faces  # noqa: PLC0415
    from fer.models.classifier import load_classifier  # noqa: PLC0415

    provenance: dict[str, Any] = load_classifier(weights)[1]
    store = Path("data") / "normalised" / f"{provenance['dataset']}.h5"
    if store.exists():
        return training_faces(store, count), f"Training faces of {store}"
    return drawn_faces(count), f"drawn faces, since {store} is not here"
