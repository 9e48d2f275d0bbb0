"""What git keeps of a trained network: a small one as it is, a large one in half precision; and those it does keep."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fer.app import CHECKOUT
from fer.config.network import Stack
from fer.errors import UserError
from fer.evaluation.calibration import fit_temperature as evaluated
from fer.export import published
from fer.export.published import LARGEST, publish
from fer.export.temperature import fit_temperature
from fer.models.classifier import Classifier, Normalisation, load_classifier, predict, save_classifier
from fer.models.networks import build
from fer.predictions.format import Predictions

IMAGES = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
KEPT = sorted((CHECKOUT / "data" / "published").glob("*.safetensors"))


def trained(path: Path, *filters: int) -> Path:
    network = Stack(
        type="stack", filters=filters, kernels=(3,) * len(filters), hidden=(200,), batch_norm=True,
        batch_norm_hidden=False, dropout=0.0, pooling="max",
    )  # fmt: skip
    config = {
        "network": network.model_dump(), "input_size": 48, "normalise": "global", "augment": {"crop": None},
        "tta": "none",
    }  # fmt: skip
    torch.manual_seed(0)
    save_classifier(path, Classifier(Normalisation(120.0, 60.0), build(network, 48)).state_dict(), {"config": config})
    return path


def test_a_small_network_keeps_its_tensors_and_gets_a_temperature(tmp_path: Path) -> None:
    weights, out = trained(tmp_path / "0.safetensors", 32, 64, 96, 128), tmp_path / "out" / "small.safetensors"
    publish(weights, out, temperature=1.5)
    before, after = load_file(weights), load_file(out)
    assert set(before) == set(after)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert load_classifier(out)[1] == load_classifier(weights)[1] | {"temperature": 1.5}


def test_a_large_network_is_kept_in_half_precision_and_says_the_same(tmp_path: Path) -> None:
    weights, out = trained(tmp_path / "0.safetensors", 32), tmp_path / "large.safetensors"
    publish(weights, out, temperature=1.0)
    assert out.stat().st_size < 0.51 * weights.stat().st_size
    (loaded, _), (whole, _) = load_classifier(out), load_classifier(weights)
    assert torch.equal(loaded.normalise.mean, whole.normalise.mean)
    logits = predict(loaded, IMAGES, torch.float32)
    torch.testing.assert_close(logits, predict(whole, IMAGES, torch.float32), rtol=5e-3, atol=5e-3)
    assert not torch.equal(logits, predict(whole, IMAGES, torch.float32))


def test_what_git_should_not_carry_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "LARGEST", 1 << 20)
    weights = trained(tmp_path / "0.safetensors", 32)
    with pytest.raises(UserError, match=r"run.export=large: .* has more than 1 MB for git; leave it out"):
        publish(weights, tmp_path / "out" / "large.safetensors", temperature=1.0)
    assert not (tmp_path / "out").exists()


def test_the_temperature_is_the_evaluations() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 7, 500).astype(np.uint8)
    logits = (3 * generator.normal(size=(500, 7)) + 4 * np.eye(7)[labels]).astype(np.float32)
    none = np.zeros(500, np.bool_)
    predictions = Predictions(logits=logits, labels=labels, rows=np.arange(500), in_training=none, near_duplicate=none)
    assert fit_temperature(logits, labels) == pytest.approx(evaluated(predictions), abs=1e-3)
    assert fit_temperature(2 * logits, labels) == pytest.approx(2 * fit_temperature(logits, labels), rel=1e-3)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_each_published_network_is_whole_and_says_where_it_comes_from(path: Path) -> None:
    classifier, provenance = load_classifier(path)
    assert path.stat().st_size <= LARGEST
    assert provenance["system"] == path.stem
    assert sum(parameter.numel() for parameter in classifier.parameters()) == provenance["parameters"]
    assert 1 <= provenance["temperature"] < 3
    assert provenance["validation_accuracy"] > 0.6
    assert provenance["training_faces"] <= 28_709


def test_the_default_network_is_published() -> None:
    assert {"cs231n", "cs231n_student", "flagship_small"} <= {path.stem for path in KEPT}
