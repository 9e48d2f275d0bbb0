"""validate: params.yaml is valid and every network takes its input -> data/valid.txt, whatever a parameter is."""

import sys
from pathlib import Path

from fer.config.params import Params, load_params
from fer.errors import WAYS_TO_FER2013
from fer.files import write_text
from fer.models.networks import check
from stages import stage

SOURCE = Path("data/source")
NO_DATA = (
    f"{SOURCE}: no dataset there yet; FER2013 is not free to copy, so it is not in this repository\n{WAYS_TO_FER2013}"
)


@stage()
def main() -> None:
    params = load_params()
    check_networks(params)
    if not params.run.draw and not SOURCE.exists():
        print(NO_DATA, file=sys.stderr)
    else:
        for line in missing_weights(params):
            print(line, file=sys.stderr)
    # Another text in each pipeline, or DVC would fetch the other's from its cache and leave the way to the data unsaid.
    faces = "synthetic" if params.run.draw else "those in data/source"
    write_text(Path("data/valid.txt"), f"params.yaml is valid; the faces are {faces}\n")


def missing_weights(params: Params) -> list[str]:
    """Return a line for each file of run.transfer that is not there, before days of training end at it."""
    wanted: dict[str, list[str]] = {}
    for system, file in params.run.transfer.items():
        if not Path(file).exists():
            wanted.setdefault(file, []).append(system)
    lines = [f"{file}: not there; {', '.join(systems)} cannot start without it" for file, systems in wanted.items()]
    more = ["docs/pretrained.md says where each comes from; `dvc repro --keep-going` measures the other systems"]
    return lines + more if lines else []


def check_networks(params: Params) -> None:
    for system in params.systems:
        check(system, params.config(system))
    for name in params.ablation.variants:
        check(f"{params.ablation.base} (ablation.variants.{name})", params.variant(name))


if __name__ == "__main__":
    main()
