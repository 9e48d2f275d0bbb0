"""What git keeps of a trained network: a small one as it is, a large one in half precision."""

from pathlib import Path

import pytest
import torch

from fer.errors import UserError
from fer.models import published
from fer.models.classifier import Classifier, Normalisation, load_classifier, predict, save_classifier
from fer.models.published import publish
from fer.models.zoo import build

IMAGES = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def trained(folder: Path, model: str, *accuracies: float) -> None:
    for seed, accuracy in enumerate(accuracies):
        torch.manual_seed(seed)
        state = Classifier(Normalisation(120.0, 60.0), build(model)).state_dict()
        facts = {"model": model, "network": {"side": 48}, "normalise": "global", "validation_accuracy": accuracy}
        save_classifier(folder / f"{seed}.safetensors", state, facts)


def test_the_best_seed_of_a_small_network_is_kept_byte_for_byte(tmp_path: Path) -> None:
    trained(tmp_path / "models" / "small", "cs231n", 0.5, 0.7, 0.6)
    publish(tmp_path / "models", tmp_path / "out", ("small",))
    kept = (tmp_path / "out" / "small.safetensors").read_bytes()
    assert kept == (tmp_path / "models" / "small" / "1.safetensors").read_bytes()


def test_a_large_network_is_kept_in_half_precision_and_says_the_same(tmp_path: Path) -> None:
    trained(tmp_path / "models" / "large", "cs231n_baseline", 0.5)
    weights = tmp_path / "models" / "large" / "0.safetensors"
    publish(tmp_path / "models", tmp_path / "out", ("large",))
    kept = tmp_path / "out" / "large.safetensors"
    assert kept.stat().st_size < 0.51 * weights.stat().st_size
    (loaded, provenance), (whole, given) = load_classifier(kept), load_classifier(weights)
    assert provenance == given
    scores = predict(loaded, IMAGES, torch.float32)
    torch.testing.assert_close(scores, predict(whole, IMAGES, torch.float32), rtol=5e-3, atol=5e-3)
    assert not torch.equal(scores, predict(whole, IMAGES, torch.float32))


def test_what_git_should_not_carry_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "LARGEST", 1 << 20)
    trained(tmp_path / "models" / "large", "cs231n_baseline", 0.5)
    with pytest.raises(UserError, match=r"publish=large: .* has more than 1 MB; leave it out"):
        publish(tmp_path / "models", tmp_path / "out", ("large",))
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    with pytest.raises(UserError, match="no trained seed to publish"):
        publish(tmp_path / "models", tmp_path / "out", ("nothing",))
