"""check: params.yaml is read whole and validated, before any other stage removes or writes anything."""

from pathlib import Path

import click

from fer.files import write_text
from fer.models.zoo import require_networks
from fer.params import load_params
from stages import clear_errors


@click.command(help=__doc__)
@click.option("--out", required=True, type=click.Path(path_type=Path))
@clear_errors
def main(*, out: Path) -> None:
    params = load_params()
    require_networks({name: system.model for name, system in params.systems.items()})
    # Always the same content: what depends on this file runs after the check, and not again because of it.
    write_text(out, "params.yaml is valid\n")


if __name__ == "__main__":
    main()
