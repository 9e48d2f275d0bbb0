"""agreement: networks and labels against FER+'s votes, where data/votes.csv has any."""

from pathlib import Path

from fer.config.params import load_params
from fer.evaluation.agreement import write_agreement
from stages import stage


@stage()
def main() -> None:
    systems = [Path("data/predictions") / name for name in load_params().run.systems]
    write_agreement(systems, Path("data/votes.csv"), Path("metrics/agreement.json"), Path("plots/agreement"))


if __name__ == "__main__":
    main()
