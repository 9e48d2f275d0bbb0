"""distil: a student, taught by that seed of its teacher or by all of them -> data/models/{system}/, as train."""

from functools import partial

import click

from fer.config.params import load_params
from fer.orchestration.jobs import teacher_weights
from stages import stage
from stages.train import train


@stage("system")
@click.option("--teacher", required=True)
def main(system: str, teacher: str) -> None:
    train(system, teachers=partial(teacher_weights, load_params(), system, teacher))


if __name__ == "__main__":
    main()
