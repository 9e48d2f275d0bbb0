"""The ablation: trained variants measured against base, and the table of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer.evaluation.ablation import Settings, ablation_block, compared, measure_ablation, write_table
from fer.files import write_json
from fer.params import PARAMS, load_params
from fer.training.runs import train_seeds
from tests.training.test_loop import recipe
from tests.training.test_runs import jobs, own_folder, store  # noqa: F401 (fixtures)

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(resamples=200, bootstrap_seed=0, batch_size=64, device="cpu", precision="float32", threads=1)


def test_trained_variants_are_measured_over_their_seeds(store: Path, tmp_path: Path) -> None:  # noqa: F811
    variants = {"base": recipe(epochs=2), "views": recipe(epochs=2, views="flip", flip=False)}
    for name, settings in variants.items():
        train_seeds(jobs(store, tmp_path / "out" / name, system=name, recipe=settings), workers=1)
    measured = measure_ablation(tmp_path / "out", store, SETTINGS)["variants"]
    assert list(measured) == ["base", "views"]
    assert measured["base"]["PrivateTest"]["seeds"] == 2
    assert (measured["base"]["PrivateTest"]["difference"], measured["base"]["PrivateTest"]["difference_low"]) == (0, 0)
    for test_set in ("PublicTest", "PrivateTest", "PrivateTest_leak_free"):
        entry = measured["views"][test_set]
        assert entry["difference"] == pytest.approx(entry["accuracy"] - measured["base"][test_set]["accuracy"])
    assert measured["views"]["recipe"]["views"] == "flip"


def test_a_difference_by_hand() -> None:
    base = np.array([[True, False, False, False], [True, True, False, False]])
    right = np.array([[True, True, False, False], [True, True, True, False]])
    entry = compared(right, base, {"resamples": 500, "seed": 0})
    assert (entry["accuracy"], entry["difference"]) == (0.625, 0.25)
    assert entry["difference_low"] <= 0.25 <= entry["difference_high"]
    assert entry["accuracy_std"] == pytest.approx(np.std([0.5, 0.75], ddof=1))


def entry(difference: float) -> dict[str, Any]:
    scores = {
        "accuracy": 0.4 + difference, "accuracy_std": 0.01, "difference": difference,
        "difference_low": difference - 0.01, "difference_high": difference + 0.01, "seeds": 3,
    }  # fmt: skip
    sets = dict.fromkeys(("PublicTest", "PrivateTest", "PrivateTest_leak_free"), scores)
    facts = {"parameters": 1234, "training_faces": 4783, "model": "net", "recipe": {"epochs": 8, "input_size": 24}}
    return sets | facts


def test_the_table_puts_the_best_ingredient_first_and_says_how_it_was_measured(tmp_path: Path) -> None:
    summary = {"variants": {"base": entry(0.0), "mixup": entry(-0.02), "ema": entry(0.03)}}
    block = ablation_block(summary)
    lines = block.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| base", "| ema", "| mixup"]
    assert "| +3.0 (+2.0 to +4.0) |" in lines[3]
    assert "net at 24x24 pixels with 1,234 parameters, 4,783 faces of Training, 8 epochs, 3 seeds" in block
    write_json(tmp_path / "a.json", summary)
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- ablation:toy:begin -->\n<!-- ablation:toy:end -->\nb\n")
    write_table(tmp_path / "a.json", readme, "toy")
    assert block in readme.read_text()
    before = readme.read_text()
    write_table(tmp_path / "a.json", readme, "another")
    assert readme.read_text() == before


def test_what_was_not_run_has_no_number() -> None:
    assert ablation_block({"variants": {}}) == "Not yet run."


def test_the_committed_ablation_has_every_ingredient_that_the_readme_needs() -> None:
    ablation = load_params(ROOT / PARAMS).ablation
    assert {"flip", "crop", "label_smoothing", "mixup", "ema", "sam", "squeeze_excitation"} <= set(ablation.ingredients)
