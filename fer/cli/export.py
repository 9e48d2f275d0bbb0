"""`python -m fer export NETWORK`: a trained network as one file for other programs.

Imports that take seconds (torch, onnxruntime) stand inside the functions: every other command would wait for them.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fer.cli.command import Command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STORE = Path("data") / "normalised.h5"  # of the pipeline in the current folder
CALIBRATION_FACES = 512


@click.command(cls=Command)
@click.argument("network")
@click.option("--format", "kind", type=click.Choice(["onnx"]), default="onnx", show_default=True)
@click.option("--int8", is_flag=True, help="eight bits: a third of the size")
@click.option("--opset", default=18, show_default=True, type=click.IntRange(13, 20), help="of ONNX")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="NETWORK.onnx here if left out")
def export(network: str, *, kind: str, int8: bool, opset: int, out: Path | None) -> None:
    """Write a trained network with its normalisation inside.

    NETWORK is a .safetensors file, NAME or NAME/SEED of what was trained in this folder, or a published NAME.
    Input `faces`: uint8 (N, 48, 48), grey values 0..255. Output `probabilities`: float32 (N, 7).
    """
    from fer.app.synthetic import synthetic_faces  # noqa: PLC0415
    from fer.app.trained import find_weights  # noqa: PLC0415
    from fer.export.export import difference  # noqa: PLC0415

    weights = find_weights(network)
    stem = network.replace("/", "_") if not Path(network).exists() else weights.stem
    out = out or Path(f"{stem}_int8.{kind}" if int8 else f"{stem}.{kind}")
    note = write(weights, out, opset=opset, int8=int8)
    apart = difference(weights, out, synthetic_faces(70))
    click.echo(
        f"{out}: {out.stat().st_size:,} bytes, opset {opset}\nfrom {weights}{note}\n"
        f"largest difference from PyTorch's probabilities on synthetic faces: {apart:.1g}"
    )


def write(weights: Path, out: Path, *, opset: int, int8: bool) -> str:
    """Write the file; return what there is to say of its calibration."""
    from fer.export.onnx import export_onnx  # noqa: PLC0415
    from fer.export.quantise import quantise  # noqa: PLC0415

    if not int8:
        export_onnx(weights, out, opset=opset)
        return ""
    faces, origin = calibration_faces(weights)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float.onnx"
        export_onnx(weights, whole, opset=opset)
        quantise(whole, out, faces)
    return f", calibrated on {len(faces)} {origin}"


def calibration_faces(weights: Path) -> "tuple[NDArray[np.uint8], str]":
    """Return faces that the network learned from, (N, 48, 48), where this folder has them, else synthetic ones."""
    from fer.app.synthetic import synthetic_faces  # noqa: PLC0415
    from fer.export.quantise import training_faces  # noqa: PLC0415
    from fer.models.classifier import load_classifier  # noqa: PLC0415
    from fer.store import open_store  # noqa: PLC0415

    if STORE.exists():
        with open_store(STORE) as file:
            its_own = file.attrs["source_sha256"] == load_classifier(weights)[1]["data_sha256"]
        if its_own:
            return training_faces(STORE, CALIBRATION_FACES), f"Training faces of {STORE}"
    return synthetic_faces(CALIBRATION_FACES), f"synthetic faces: those that it learned from are not in {STORE}"
