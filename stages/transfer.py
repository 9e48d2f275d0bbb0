"""transfer: a system from pretrained weights -> data/models/{system}/, as train."""

from pathlib import Path

import click

from fer.config.params import load_params
from fer.errors import UserError
from fer.orchestration.jobs import seed_jobs
from fer.orchestration.side_by_side import train_seeds
from fer.orchestration.watchdog import die_with_dvc
from stages import clear_errors


@click.command(help=__doc__)
@click.argument("system")
@click.option("--weights", required=True, type=click.Path(path_type=Path))
@clear_errors
def main(*, system: str, weights: Path) -> None:
    die_with_dvc()
    params = load_params()
    if not weights.exists():
        raise UserError(
            f"run.transfer.{system}={weights}: not there\n"
            "`python -m fer download weights` gets the public ones; docs/pretrained.md says where each comes from"
        )
    jobs = seed_jobs(
        params, system, store=Path("data/normalised.h5"), out=Path("data/models") / system, weights=weights
    )
    train_seeds(jobs, workers=params.train.workers)


if __name__ == "__main__":
    main()
