"""normalise: clean store -> the store that training reads, with statistics fitted on Training only."""

from pathlib import Path

from fer.config.params import load_params
from fer.data.normalise import normalise_store
from stages import stage


@stage()
def main() -> None:
    drop_leaked = load_params().clean.drop_leaked
    normalise_store(Path("data/clean.h5"), Path("data/normalised.h5"), drop_leaked=drop_leaked)


if __name__ == "__main__":
    main()
