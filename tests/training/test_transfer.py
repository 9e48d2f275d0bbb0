"""Transfer on a made-up weights file: what starts where, what thaws when, features once instead of every epoch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fer.data.store import open_store
from fer.emotions import Split
from fer.errors import UserError
from fer.models.classifier import load_classifier, predict
from fer.models.pretrained import Transferred
from fer.models.weights import WEIGHTS
from fer.models.zoo import build
from fer.recipe import Augment, Recipe
from fer.training import transfer
from fer.training.job import Job, new_classifier, read_faces, run_job
from fer.training.transfer import Pretrained, feature_sets, thaw
from tests.training.test_loop import recipe
from tests.training.test_runs import own_folder, store

__all__ = ["own_folder", "store"]
NAME = "mobilenet_v2_imagenet"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of random weights in MobileNetV2's public layout, three input channels."""
    torch.manual_seed(7)
    state = {f"{name}": tensor for name, tensor in build("mobilenet_v2").backbone.state_dict().items()}  # type: ignore[union-attr]
    first = "features.0.0.weight"
    state[first] = state[first].expand(-1, 3, -1, -1).contiguous() / 3
    (tmp_path / "weights").mkdir()
    save_file(state, tmp_path / "weights" / WEIGHTS[NAME].file)
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], sha256=None))
    return tmp_path / "weights"


def transfer_recipe(**changes: Any) -> Recipe:
    return recipe(**({"epochs": 2, "weights": NAME, "trainable_stages": 0, "learning_rate": 0.001} | changes))


def job(store: Path, out: Path, folder: Path | None, *, required: bool = True, **changes: Any) -> Job:
    return Job(
        dataset="toy", system="mobile", model="mobilenet_v2", seed=0, recipe=transfer_recipe(**changes), store=store,
        out=out, device="cpu", precision="float32", threads=1, pretrained=Pretrained(NAME, folder, required),
    )  # fmt: skip


def silent(*_: Any) -> None:
    pass


def test_the_backbone_starts_from_the_file_and_stays_when_frozen(store: Path, tmp_path: Path, weights: Path) -> None:
    run_job(job(store, tmp_path / "out", weights), silent)
    classifier, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    started, _ = new_classifier(job(store, tmp_path / "out", weights), None)  # type: ignore[arg-type]
    for name, tensor in started.network.backbone.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(classifier.network.backbone.state_dict()[name], tensor), name  # type: ignore[union-attr]
    assert provenance["starts_from"] == "ImageNet"
    assert len(provenance["weights_sha256"]) == 64
    assert provenance["normalise"] == f"{WEIGHTS[NAME].mean:g}, {WEIGHTS[NAME].std:g}"


def test_features_once_are_training_the_head_in_every_epoch(
    store: Path, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run with the whole network in each step, its backbone frozen."""
    run_job(job(store, tmp_path / "once", weights), silent)
    monkeypatch.setattr(Recipe, "features_once", property(lambda _: False))
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
    run_job(job(store, tmp_path / "b", weights, learning_rate=0.01), silent)
    assert len(calls) == 3
    run_job(job(store, tmp_path / "c", weights, input_size=64), silent)
    assert len(calls) == 6


def test_without_weights_a_run_starts_at_random_and_says_so_or_ends(store: Path, tmp_path: Path) -> None:
    run_job(job(store, tmp_path / "out", None, required=False), silent)
    _, provenance = load_classifier(tmp_path / "out" / "0.safetensors")
    assert provenance["starts_from"] == "random"
    assert "random initialisation" in provenance["weights"]
    facenet = Pretrained("inception_resnet_v1_vggface2", tmp_path, required=True)
    with pytest.raises(UserError, match="inception_resnet_v1_vggface2"):
        facenet.load()


@pytest.mark.parametrize(
    ("stages", "every", "epoch", "frozen"),
    [(None, None, 0, 0), (0, None, 9, 5), (2, None, 0, 3), (0, 3, 2, 5), (0, 3, 3, 4), (1, 2, 5, 2), (9, None, 0, 0)],
)
def test_what_is_frozen_when(stages: int | None, every: int | None, epoch: int, frozen: int) -> None:
    network = build("mobilenet_v2")
    assert isinstance(network, Transferred)
    thaw(network, transfer_recipe(trainable_stages=stages, unfreeze_every=every), epoch)
    assert network.frozen == frozen


def test_a_thawing_run_that_was_interrupted_ends_in_the_same_bytes(store: Path, tmp_path: Path, weights: Path) -> None:
    def stop(_run: str, done: int, _share: float, epoch: object) -> None:
        if epoch and done == 2:
            raise KeyboardInterrupt

    changes: dict[str, Any] = {
        "epochs": 3,
        "unfreeze_every": 1,
        "augment": Augment(rotation=10.0),
        "backbone_rate": 0.1,
    }
    run_job(job(store, tmp_path / "whole", weights, **changes), silent)
    with pytest.raises(KeyboardInterrupt):
        run_job(job(store, tmp_path / "x" / "whole", weights, patience=2, **changes), stop)
    run_job(job(store, tmp_path / "x" / "whole", weights, patience=2, **changes), silent)
    assert (tmp_path / "whole" / "0.csv").read_bytes() == (tmp_path / "x" / "whole" / "0.csv").read_bytes()


def test_adapted_statistics_are_not_the_files(store: Path, tmp_path: Path, weights: Path) -> None:
    run_job(job(store, tmp_path / "as", weights, epochs=1), silent)
    run_job(job(store, tmp_path / "adapted", weights, epochs=1, adapt_statistics=True), silent)
    plain, adapted = (load_classifier(tmp_path / name / "0.safetensors")[0] for name in ("as", "adapted"))
    name = "network.backbone.features.0.1.running_mean"
    assert not torch.equal(plain.state_dict()[name], adapted.state_dict()[name])
    weight = "network.backbone.features.0.0.weight"
    assert torch.equal(plain.state_dict()[weight], adapted.state_dict()[weight])


def test_a_views_features_are_its_faces(store: Path, tmp_path: Path, weights: Path) -> None:
    task = job(store, tmp_path / "out", weights)
    classifier, _ = new_classifier(task, None)  # type: ignore[arg-type]
    with open_store(store) as file:
        training, validation = (
            read_faces(task, file, split, torch.device("cpu")) for split in (Split.training, Split.public_test)
        )
    of_training, of_validation = feature_sets(classifier, training, validation, mirrored=True, precision=torch.float32)
    head = classifier.network.head
    torch.testing.assert_close(
        predict(head, of_training.views[1], torch.float32),  # type: ignore[arg-type]
        predict(classifier, training.images.flip(-1), torch.float32),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    assert of_validation.views.shape[0] == 1
