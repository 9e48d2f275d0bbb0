"""distil: a student, each seed taught by that seed of its teacher -> data/models/{system}/, as train."""

import click

from stages import stage
from stages.train import MODELS, train


@stage("system")
@click.option("--teacher", required=True)
def main(system: str, teacher: str) -> None:
    train(system, teachers=lambda seed: (MODELS / teacher / f"{seed}.safetensors",))


if __name__ == "__main__":
    main()
