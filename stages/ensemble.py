"""ensemble: members chosen on PublicTest -> the mean of their probabilities, as one more system."""

from pathlib import Path

from fer.config.params import load_params
from fer.evaluation.ensemble import Places, write_ensemble
from stages import stage


@stage()
def main() -> None:
    params = load_params()
    places = Places(Path("data/ensemble"), Path("metrics/ensemble.json"), Path("metrics/ensemble"))
    settings = params.ensemble.model_dump() | params.evaluate.model_dump()
    systems = [Path("data/predictions") / name for name in params.run.systems]
    write_ensemble(systems, places, **settings)


if __name__ == "__main__":
    main()
