"""The ablation: what one change of a recipe is worth, over the same seeds and faces as its base."""

from collections.abc import Mapping
from typing import Any

from fer.errors import UserError
from fer.evaluation.intervals import accuracy_over_seeds
from fer.evaluation.metrics import correctness
from fer.evaluation.paired import Seeds, compare, runs_by_test_set

FACTS = ("parameters", "flops", "training_faces")


def measure_effect(
    variant: str,
    base: str,
    systems: tuple[Seeds, Seeds],
    provenance: Mapping[str, Any],
    *,
    resamples: int,
    bootstrap_seed: int,
) -> dict[str, Any]:
    """Return the content of metrics/ablation/{variant}.json.

    Per test set, the variant's accuracy as a mean over seeds with an interval over faces, and its difference from
    base, paired over the seeds that both have.

    Args:
        systems: the predictions of the variant and of its base, by seed.
        provenance: of one of the variant's seeds.

    Raises:
        UserError: the two share no seed.
    """
    bootstrap = {"resamples": resamples, "seed": bootstrap_seed}
    compared = compare((variant, base), systems, bootstrap)
    if not compared["seeds"]:
        raise UserError(f"{variant} and {base} have no seed in common")
    result: dict[str, Any] = {"base": base, "seeds": compared["seeds"], **{name: provenance[name] for name in FACTS}}
    for test_set, runs in runs_by_test_set(systems[0]).items():
        result[test_set] = accuracy_over_seeds(correctness(runs), **bootstrap) | compared[test_set]
    return result
