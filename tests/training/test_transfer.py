"""Transfer on made-up weights: what starts where, what unfreezes when, features once instead of every epoch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fer.config.run import RunConfig
from fer.constants import Split
from fer.errors import UserError
from fer.files import sha256_of
from fer.models.classifier import Normalisation, load_classifier, predict
from fer.models.networks import build
from fer.models.pretrained import Transferred
from fer.orchestration.jobs import Job, run_job
from fer.store import open_store
from fer.training import transfer
from fer.training.run import new_classifier, read_faces
from fer.training.transfer import feature_sets, features_once, unfreeze
from tests.runs import config, jobs, silent, toy_config


def transfer_config(**changes: Any) -> RunConfig:
    short = {"epochs": 2, "batch_size": 20, "lr": 0.001, "input_size": 48, "schedule": {"shape": "none"}}
    frozen = {"trainable_stages": 0, "backbone_lr": 1.0, **changes.pop("transfer", {})}
    plain = {"flip": True, "rotation": 0.0, "shift": 0.0, "scale": 0.0, **changes.pop("augment", {})}
    return config("mobilenet_v2", **(short | {"transfer": frozen, "augment": plain} | changes))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights in MobileNetV2's public layout, three input channels."""
    torch.manual_seed(7)
    state = dict(build(transfer_config().network, 48).backbone.state_dict())  # type: ignore[union-attr]
    first = "features.0.0.weight"
    state[first] = state[first].expand(-1, 3, -1, -1).contiguous() / 3
    save_file(state, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def job(store: Path, out: Path, weights: Path | None, **changes: Any) -> Job:
    return Job("mobile", transfer_config(**changes), 0, store, out, weights=weights)


def test_the_backbone_starts_from_the_file_and_stays_when_frozen(store: Path, tmp_path: Path, weights: Path) -> None:
    run_job(job(store, tmp_path / "out", weights), silent)
    classifier, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    started = new_classifier(transfer_config(), Normalisation(), weights)
    for name, tensor in started.network.backbone.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(classifier.network.backbone.state_dict()[name], tensor), name  # type: ignore[union-attr]
    assert provenance["starts_from"] == "ImageNet"
    assert provenance["weights_sha256"] == sha256_of(weights)
    assert classifier.normalise.mean[0, 0].item() == pytest.approx(0.449 * 255)
    assert classifier.normalise.std[0, 0].item() == pytest.approx(0.226 * 255)


def test_features_once_are_training_the_head_in_every_epoch(
    store: Path, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run with the whole network in each step, its backbone frozen."""
    run_job(job(store, tmp_path / "once", weights), silent)
    monkeypatch.setattr("fer.training.run.features_once", lambda _: False)
    run_job(job(store, tmp_path / "each", weights), silent)
    first, second = (load_classifier(tmp_path / name / "0.safetensors")[0] for name in ("once", "each"))
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(tensor, second.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_features_are_computed_once_for_all_runs(
    store: Path, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    compute = transfer.compute_features

    def counted(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return compute(*arguments)

    monkeypatch.setattr(transfer, "compute_features", counted)
    run_job(job(store, tmp_path / "a", weights), silent)
    assert len(calls) == 3  # Training, its mirror image, PublicTest
    run_job(job(store, tmp_path / "b", weights, lr=0.01), silent)
    assert len(calls) == 3
    run_job(job(store, tmp_path / "c", weights, input_size=64), silent)
    assert len(calls) == 6


def test_features_are_those_of_the_layers_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ResNet-50's two variants have the same weights and strides in other places."""
    monkeypatch.chdir(tmp_path)
    strides = iter((1.0, 2.0))
    monkeypatch.setattr(transfer, "compute_features", lambda *_: torch.tensor([next(strides)]))
    images = torch.zeros(1, 1, 48, 48, dtype=torch.uint8)
    for variant, expected in ((True, 1.0), (False, 2.0), (True, 1.0)):
        torch.manual_seed(0)
        settings = config("resnet50_imagenet", network={"v1_strides": variant}, input_size=48)
        classifier = new_classifier(settings, Normalisation(), None)
        assert transfer.features(classifier, images, torch.float32).item() == expected


def test_a_run_without_weights_starts_at_random(store: Path, tmp_path: Path) -> None:
    run_job(job(store, tmp_path / "out", None), silent)
    _, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    assert (provenance["starts_from"], provenance["weights_sha256"]) == ("random", None)


def test_what_is_no_backbone_does_not_start_from_public_weights(weights: Path) -> None:
    with pytest.raises(UserError, match=r"weights\.safetensors: not trained by this project; only .* type backbone"):
        new_classifier(config(), Normalisation(), weights)


def test_a_file_of_another_backbone_is_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(UserError, match=r"weights\.safetensors: no tensor conv1\.weight"):
        new_classifier(config("resnet50_imagenet", input_size=48), Normalisation(), weights)
    save_file({"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "part.safetensors")
    with pytest.raises(UserError, match=r"part\.safetensors: not the weights of mobilenet_v2 \("):
        new_classifier(transfer_config(), Normalisation(), tmp_path / "part.safetensors")


@pytest.fixture
def own(store: Path, tmp_path: Path) -> Path:
    """Weights that this project trained."""
    (source,) = jobs(store, tmp_path / "own", seeds=(0,), config=toy_config(epochs=1, normalise="global"))
    run_job(source, silent)
    return tmp_path / "own" / "0.safetensors"


def test_a_run_starts_from_own_weights_but_for_the_last_layer(own: Path) -> None:
    source, _ = load_classifier(own)
    torch.manual_seed(1)
    started = new_classifier(toy_config(normalise="global"), Normalisation(), own)
    torch.manual_seed(1)
    fresh = build(toy_config().network, 48).state_dict()
    last = [name for name in fresh if name.startswith("19.")]
    assert [fresh[name].shape for name in last] == [(7, 200), (7,)]
    for name, tensor in started.state_dict().items():
        key = name.removeprefix("network.")
        assert torch.equal(tensor, fresh[key] if key in last else source.state_dict()[name]), name


def test_a_run_from_own_weights_says_so(store: Path, tmp_path: Path, own: Path) -> None:
    settings = toy_config(epochs=1, normalise="global", transfer={"pretrained_on": "synthetic faces"})
    (tuned,) = jobs(store, tmp_path / "out", seeds=(0,), config=settings, weights=own)
    run_job(tuned, silent)
    _, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    assert (provenance["starts_from"], provenance["weights_sha256"]) == ("synthetic faces", sha256_of(own))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalise": "pixel"}, "trained with normalise=global; the system has pixel"),
        ({"normalise": "global", "network": {"hidden": [100]}}, "trained with network="),
        ({"normalise": "global", "input_size": 64}, "trained on images of another size"),
    ],
)
def test_own_weights_that_do_not_fit_are_refused(own: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"0\.safetensors: {message}"):
        new_classifier(toy_config(**changes), Normalisation(), own)


@pytest.mark.parametrize(
    ("stages", "every", "epoch", "frozen"),
    [(None, None, 0, 0), (0, None, 9, 5), (2, None, 0, 3), (0, 3, 2, 5), (0, 3, 3, 4), (1, 2, 5, 2), (9, None, 0, 0)],
)
def test_what_is_frozen_when(stages: int | None, every: int | None, epoch: int, frozen: int) -> None:
    settings = transfer_config(transfer={"trainable_stages": stages, "unfreeze_every": every})
    network = build(settings.network, 48)
    assert isinstance(network, Transferred)
    unfreeze(network, settings, epoch)
    assert network.frozen == frozen


def test_an_unfreezing_run_that_was_interrupted_ends_in_the_same_bytes(
    store: Path, tmp_path: Path, weights: Path
) -> None:
    def stop(_run: str, done: int, _share: float, epoch: object) -> None:
        if epoch and done == 2:
            raise KeyboardInterrupt

    changes: dict[str, Any] = {
        "epochs": 3,
        "augment": {"rotation": 10.0},
        "transfer": {"unfreeze_every": 1, "backbone_lr": 0.1},
    }
    run_job(job(store, tmp_path / "whole", weights, **changes), silent)
    with pytest.raises(KeyboardInterrupt):
        run_job(job(store, tmp_path / "cut", weights, **changes), stop)
    run_job(job(store, tmp_path / "cut", weights, **changes), silent)
    for name in ("0.csv", "0.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_adapted_statistics_are_not_the_files(store: Path, tmp_path: Path, weights: Path) -> None:
    run_job(job(store, tmp_path / "as", weights, epochs=1), silent)
    run_job(job(store, tmp_path / "adapted", weights, epochs=1, transfer={"adapt_statistics": True}), silent)
    plain, adapted = (load_classifier(tmp_path / name / "0.safetensors")[0] for name in ("as", "adapted"))
    name = "network.backbone.features.0.1.running_mean"
    assert not torch.equal(plain.state_dict()[name], adapted.state_dict()[name])
    weight = "network.backbone.features.0.0.weight"
    assert torch.equal(plain.state_dict()[weight], adapted.state_dict()[weight])


def test_a_mirrored_faces_features_are_its_own(store: Path, weights: Path) -> None:
    classifier = new_classifier(transfer_config(), Normalisation(128.0, 64.0), weights)
    with open_store(store) as file:
        training, validation = (
            read_faces(transfer_config(), file, split, torch.device("cpu"))
            for split in (Split.training, Split.public_test)
        )
    of_training, of_validation = feature_sets(classifier, training, validation, mirrored=True, precision=torch.float32)
    head = classifier.network.head
    torch.testing.assert_close(
        predict(head, of_training.views[1], torch.float32),  # type: ignore[arg-type]
        predict(classifier, training.images.flip(-1), torch.float32),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    assert of_validation.views.shape[0] == 1


@pytest.mark.parametrize(
    ("changes", "once"),
    [
        ({}, False),
        ({"transfer.trainable_stages": 0}, True),
        ({"transfer.trainable_stages": 1}, False),
        ({"transfer.trainable_stages": 0, "augment.flip": False}, True),
        ({"transfer.trainable_stages": 0, "augment.rotation": 5.0}, False),
        ({"transfer.trainable_stages": 0, "augment.crop": 44}, False),
        ({"transfer.trainable_stages": 0, "mixup": 0.2}, False),
        ({"transfer.trainable_stages": 0, "transfer.unfreeze_every": 2}, False),
    ],
)
def test_features_are_computed_once_where_nothing_changes_them(changes: dict[str, Any], once: bool) -> None:
    assert features_once(config("cs231n").changed(changes)) is once
