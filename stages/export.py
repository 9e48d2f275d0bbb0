"""export: a system's best seed on PublicTest for use: published weights, ONNX in float and in eight bits."""

from pathlib import Path

from fer.config.params import load_params
from stages import stage


@stage("system")
def main(system: str) -> None:
    from fer.export.export import export_system  # noqa: PLC0415 - torch and onnxruntime take seconds to import

    settings = load_params().export
    export_system(
        Path("data/models") / system,
        Path("data/normalised.h5"),
        published=Path("data/published") / f"{system}.safetensors",
        out=Path("data/exported") / system,
        metrics=Path("metrics/export") / f"{system}.json",
        faces=settings.calibration_faces,
        opset=settings.opset,
    )


if __name__ == "__main__":
    main()
