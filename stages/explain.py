"""explain SYSTEM: what its best seed looks at, whether the maps are faithful, and galleries of its answers."""

from pathlib import Path

from fer.config.params import load_params
from stages import stage


@stage("system")
def main(system: str) -> None:
    from fer.explain.explain import Places, explain_system  # noqa: PLC0415 - torch and captum take seconds to import

    params = load_params()
    places = Places(
        faces=Path("data/explained") / system,
        metrics=Path("metrics/explain") / f"{system}.json",
        plots=Path("plots/explain") / system,
    )
    explain_system(
        Path("data/models") / system,
        Path("data/predictions") / system,
        Path("data/normalised.h5"),
        places,
        settings=params.explain,
    )


if __name__ == "__main__":
    main()
