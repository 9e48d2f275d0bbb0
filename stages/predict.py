"""predict: a system's weights -> data/predictions/{system}/{seed}.safetensors, its logits of both test splits."""

from pathlib import Path

from fer.config.params import load_params
from fer.predictions.predict import predict_system
from stages import stage


@stage("system")
def main(system: str) -> None:
    predict_system(
        Path("data/models") / system,
        store=Path("data/normalised.h5"),
        near_duplicates=Path("data/near_duplicates.csv"),
        out=Path("data/predictions") / system,
        settings=load_params().predict,
    )


if __name__ == "__main__":
    main()
