"""A system evaluated from its predictions: what lies there afterwards, and that it says what the network said."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer.constants import Split
from fer.evaluation.evaluate import Places, evaluate_system, headline, measure_seed
from fer.predictions.format import PredictionsError, Splits, read_predictions, write_predictions
from tests.evaluation.test_metrics import both, predictions

ROOT = Path(__file__).parents[2]
SETTINGS = {"resamples": 50, "bootstrap_seed": 0}
FORBIDDEN = ("torch", "h5py", "fer.models", "fer.data", "fer.store", "fer.report")
HISTORY = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\n1,1.9,0.2,1.8,0.3\n2,1.7,0.3,1.6,0.4\n"


def run(seed: int) -> Splits:
    return {split: predictions(seed=seed + 10 * place, skill=1.5) for place, split in enumerate(both())}


def write_seed(folder: Path, seed: int) -> None:
    write_predictions(folder / f"{seed}.safetensors", run(seed), {"system": "net", "seed": seed})
    (folder / f"{seed}.csv").write_text(HISTORY)


def places(folder: Path) -> Places:
    return Places(folder / "metrics" / "net.json", folder / "metrics" / "net", folder / "plots")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two evaluated seeds."""
    folder = tmp_path_factory.mktemp("evaluated")
    for seed in (0, 1):
        write_seed(folder / "predictions", seed)
    evaluate_system(folder / "predictions", places(folder), **SETTINGS)
    return folder


def test_every_out_is_there(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "metrics").rglob("*.json")) == ["0.json", "1.json", "net.json"]
    tables = sorted(path.name for path in (folder / "plots").iterdir())
    assert tables == ["accuracy.csv", "confusion.csv", "loss.csv", "pictures", "reliability.csv"]
    assert (folder / "plots" / "loss.csv").read_text().splitlines()[1] == "0,1,train,1.900000"


def test_metrics_are_the_predictions(folder: Path) -> None:
    content = json.loads((folder / "metrics" / "net" / "0.json").read_text())
    assert content["provenance"] == {"system": "net", "seed": 0}
    private = read_predictions(folder / "predictions" / "0.safetensors")[0][Split.private_test]
    assert content["PrivateTest"]["accuracy"] == pytest.approx((private.predicted == private.labels).mean(), abs=1e-6)
    assert content["leaks"]["clean"]["accuracy"] == content["PrivateTest_no_near_duplicates"]["accuracy"]
    assert content["calibration"]["before"]["log_loss"] == content["PrivateTest"]["log_loss"]


def test_the_headline_is_five_means_over_seeds(folder: Path) -> None:
    small = json.loads((folder / "metrics" / "net.json").read_text())
    seeds = [json.loads((folder / "metrics" / "net" / f"{seed}.json").read_text()) for seed in (0, 1)]
    assert list(small) == ["PrivateTest", "PublicTest", "leak_free", "log_loss", "macro_f1"]

    def mean(test_set: str, metric: str) -> float:
        return round(float(np.mean([seed[test_set][metric] for seed in seeds])), 4)

    assert small["PublicTest"] == mean("PublicTest", "accuracy")
    assert small["PrivateTest"] == mean("PrivateTest", "accuracy")
    assert small["leak_free"] == mean("PrivateTest_leak_free", "accuracy")
    assert small["macro_f1"] == mean("PrivateTest", "macro_f1")
    assert small["log_loss"] == mean("PrivateTest", "log_loss")
    assert len(set(small.values())) == 5  # so that none of them can stand in another's place


def test_the_headline_does_not_round_before_it_averages() -> None:
    measured = [measure_seed(both(), **SETTINGS), measure_seed(both(skill=2.0), **SETTINGS)]
    assert headline(measured)["log_loss"] == round(sum(each["PrivateTest"]["log_loss"] for each in measured) / 2, 4)


def test_a_second_evaluation_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    evaluate_system(folder / "predictions", places(tmp_path), **SETTINGS)
    again = [path for path in tmp_path.rglob("*.*") if path.is_file()]
    assert len(again) == 11
    for path in again:
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path


def test_half_precision_changes_no_accuracy_and_hardly_a_loss(tmp_path: Path) -> None:
    for splits in (run(3), {split: replace(of, logits=9 * of.logits) for split, of in run(4).items()}):
        write_predictions(tmp_path / "0.safetensors", splits, {})
        kept, _ = read_predictions(tmp_path / "0.safetensors")
        full, half = measure_seed(splits, **SETTINGS), measure_seed(kept, **SETTINGS)
        for test_set in ("PublicTest", "PrivateTest", "PrivateTest_leak_free"):
            for metric in ("accuracy", "accuracy_low", "macro_f1", "merged_accuracy"):
                assert half[test_set][metric] == full[test_set][metric]
            assert half[test_set]["log_loss"] == pytest.approx(full[test_set]["log_loss"], abs=1e-3)


def test_nothing_predicted(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="no predictions"):
        evaluate_system(tmp_path, places(tmp_path), **SETTINGS)


def test_evaluation_needs_no_network_and_no_faces() -> None:
    """It must run from what git has, so nothing of it may reach for weights or the store."""
    modules = sorted(path.stem for path in (ROOT / "fer" / "evaluation").glob("[a-z]*.py"))
    code = "import sys\n" + "".join(f"import fer.evaluation.{module}\n" for module in modules)
    code += f"print([name for name in sys.modules if name.startswith({FORBIDDEN})])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
    assert len(modules) > 8
