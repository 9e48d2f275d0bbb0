"""Every block of both params.yaml is a network that takes its faces and gives a gradient; those of each kind train."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fer.config.params import PARAMS, load_params
from fer.config.run import RunConfig
from fer.constants import EMOTION_NAMES, IMAGE_SIZE
from fer.data.normalise import normalise_store
from fer.models.classifier import Classifier, Normalisation, load_classifier
from fer.models.networks import build, check, input_side
from fer.orchestration.jobs import Job, run_job
from tests.data.test_normalise import write_store

ROOT = Path(__file__).parent.parent
FER2013, DEMO = load_params(ROOT / PARAMS), load_params(ROOT / "demo" / PARAMS)
CONFIGS = {name: FER2013.config(name) for name in FER2013.systems}
CONFIGS |= {f"{name} of the demo": DEMO.config(name) for name in DEMO.systems}
CONFIGS |= {f"{name} of the ablation": FER2013.variant(name) for name in FER2013.ablation.variants}
PUBLISHED = ROOT / "data" / "published" / "cs231n.safetensors"
SMALL = 3_000_000  # parameters; a larger network gets no memory for its tensors


def side_of(config: RunConfig) -> int:
    return input_side(config.input_size, config.augment.crop)


def trained_once(config: RunConfig, device: str) -> Classifier:
    """Return a fresh classifier after one backward pass over two faces of the store's size."""
    with torch.device(device):
        side = side_of(config)
        network = build(config.network, side)
        classifier = Classifier(Normalisation(), network, input_size=side, crop=config.augment.crop).train()
        logits = classifier(torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8))
        assert logits.shape == (2, len(EMOTION_NAMES))
        logits.logsumexp(1).sum().backward()
    return classifier


@pytest.mark.parametrize("name", CONFIGS)
def test_it_takes_its_faces_and_every_parameter_has_a_gradient(name: str) -> None:
    config = CONFIGS[name]
    check(name, config)
    classifier = trained_once(config, "meta")
    if sum(parameter.numel() for parameter in classifier.parameters()) < SMALL and side_of(config) <= IMAGE_SIZE:
        classifier = trained_once(config, "cpu")
        gradients = [parameter.grad for parameter in classifier.parameters() if parameter.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.count_nonzero() for gradient in gradients)
    assert all(parameter.grad is not None for parameter in classifier.parameters())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_store(folder / "clean.h5")
    normalise_store(folder / "clean.h5", folder / "store.h5", drop_leaked=False)
    return folder / "store.h5"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cs231n_baseline", {}),
        ("tuwani_augmented", {}),
        ("lausanne_cnn1", {}),
        ("flagship_small", {}),
        ("sam of the ablation", {"network.width": 0.125}),
        ("flagship", {"network.width": 0.125}),
        ("flagship_vgg", {"network.width": 0.125}),
        ("cs231n_student of the demo", {"teachers": 1}),
        ("flagship_student", {"network.width": 0.125, "teachers": 3}),
        ("cs231n_transfer of the demo", {"weights": PUBLISHED}),
    ],
)
def test_one_of_each_kind_trains(
    name: str, changes: dict[str, Any], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {key: value for key, value in changes.items() if key.startswith("network.")}
    config = CONFIGS[name].changed(options | {"epochs": 1, "device": "cpu", "mixup_off_epochs": 0})
    teachers = (PUBLISHED,) * changes.get("teachers", 0)
    run_job(Job(name, config, 0, store, tmp_path / "out", teachers, changes.get("weights")), lambda *_: None)
    classifier, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    assert provenance["config"] == config.model_dump(mode="json")
    assert (provenance["epochs_trained"], provenance["training_faces"]) == (1, 60)
    assert len(provenance.get("teachers", ())) == len(teachers)
    assert (provenance["weights_sha256"] is None) == ("weights" not in changes)
    assert classifier(torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)).isfinite().all()
