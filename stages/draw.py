"""draw: synthetic faces and FER+ votes on them, in the competition's format."""

from pathlib import Path

from fer.config.params import load_params
from fer.data.synthetic import write_synthetic_csv
from stages import stage

SYNTHETIC = Path("data/source/synthetic")


@stage()
def main() -> None:
    draw = load_params().draw
    votes = SYNTHETIC / "fer2013new.csv"
    write_synthetic_csv(SYNTHETIC / "fer2013.csv", seed=draw.seed, faces=draw.faces, votes=votes)


if __name__ == "__main__":
    main()
