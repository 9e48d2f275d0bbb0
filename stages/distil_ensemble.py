"""distil_ensemble: a student, each seed taught by every seed of its teachers -> data/models/{system}/, as train."""

import click

from fer.config.params import load_params
from stages import stage
from stages.train import MODELS, train


@stage("system")
@click.option("--teacher", "teachers", required=True, multiple=True)
def main(system: str, teachers: tuple[str, ...]) -> None:
    seeds_of = load_params().seeds_of
    members = tuple(MODELS / name / f"{seed}.safetensors" for name in teachers for seed in seeds_of(name))
    train(system, teachers=lambda _seed: members)


if __name__ == "__main__":
    main()
