"""What each process of tests/training/test_team.py runs: the seeds of a job on the toy store."""

import json
import sys
from pathlib import Path

from fer.training.runs import train_seeds
from stages import clear_errors
from tests.training.test_loop import recipe
from tests.training.test_runs import jobs


@clear_errors
def main() -> None:
    store, out, changes = sys.argv[1:]
    train_seeds(jobs(Path(store), Path(out), seeds=(0,), recipe=recipe(**json.loads(changes))), workers=1)


if __name__ == "__main__":
    main()
