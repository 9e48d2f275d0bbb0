"""evaluate: every metric, interval and figure of a system, from its predictions alone."""

from pathlib import Path

from fer.config.params import load_params
from fer.evaluation.evaluate import Places, evaluate_system
from stages import stage

METRICS, PLOTS = Path("metrics"), Path("plots")


@stage("system")
def main(system: str) -> None:
    places = Places(METRICS / f"{system}.json", METRICS / system, PLOTS / system)
    evaluate_system(Path("data/predictions") / system, places, **load_params().evaluate.model_dump())


if __name__ == "__main__":
    main()
