"""What each process of tests/training/test_distributed.py runs: the seeds of a job on the toy store."""

import json
import sys
from pathlib import Path

from fer.orchestration.side_by_side import train_seeds
from stages import clear_errors
from tests.runs import jobs, toy_config


@clear_errors
def main() -> None:
    store, out, changes = sys.argv[1:]
    train_seeds(jobs(Path(store), Path(out), seeds=(0,), config=toy_config(**json.loads(changes))), workers=1)


if __name__ == "__main__":
    main()
