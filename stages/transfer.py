"""transfer: a system from pretrained weights -> data/models/{system}/, as train."""

from pathlib import Path

import click

from fer.errors import UserError
from stages import stage
from stages.train import train


@stage("system")
@click.option("--weights", required=True, type=click.Path(path_type=Path))
def main(system: str, weights: Path) -> None:
    if not weights.exists():
        raise UserError(
            f"run.transfer.{system}={weights}: not there\n"
            f"`python -m fer download weights` gets torchvision's; name your file in run.transfer.{system}\n"
            "docs/pretrained.md says where each comes from"
        )
    train(system, weights=weights)


if __name__ == "__main__":
    main()
