"""ablation: one change of a recipe, trained on every seed of its base -> data/ablation/{variant}/, its predictions."""

import tempfile
from pathlib import Path

from fer.config.params import load_params
from fer.errors import UserError
from fer.orchestration.jobs import seed_jobs
from fer.orchestration.side_by_side import train_seeds
from fer.orchestration.watchdog import die_with_dvc
from fer.predictions.predict import predict_system
from stages import stage

STORE = Path("data/normalised.h5")


@stage("variant")
def main(variant: str) -> None:
    params = load_params()
    base = params.ablation.base
    if variant not in params.ablation.variants:
        raise UserError(f"{variant}: no such variant; known: {', '.join(params.ablation.variants)}")
    if base not in params.run.train:
        raise UserError(f"ablation.base={base}: allowed: what is trained from scratch, {', '.join(params.run.train)}")
    die_with_dvc()
    with tempfile.TemporaryDirectory() as folder:  # the weights are not kept; an interrupted run has its checkpoints
        models = Path(folder) / variant
        # Under the base's name: equal seeds start and shuffle alike, so that the change alone makes the difference.
        jobs = seed_jobs(params, base, store=STORE, out=models, config=params.variant(variant))
        train_seeds(jobs, workers=params.train.workers)
        predict_system(
            models,
            store=STORE,
            near_duplicates=Path("data/near_duplicates.csv"),
            out=Path("data/ablation") / variant,
            settings=params.predict,
        )


if __name__ == "__main__":
    main()
