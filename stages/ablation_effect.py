"""ablation_effect: what one change of a recipe is worth against its base, over seeds and with intervals."""

from pathlib import Path

from fer.config.params import load_params
from fer.evaluation.ablation import measure_effect
from fer.files import write_json
from fer.predictions.format import read_seeds
from stages import stage


@stage("variant")
def main(variant: str) -> None:
    params = load_params()
    base = params.ablation.base
    changed, provenances = read_seeds(Path("data/ablation") / variant)
    unchanged, _ = read_seeds(Path("data/predictions") / base)
    provenance = next(iter(provenances.values()))
    content = measure_effect(variant, base, (changed, unchanged), provenance, **params.evaluate.model_dump())
    write_json(Path("metrics/ablation") / f"{variant}.json", content)


if __name__ == "__main__":
    main()
