"""Weights to a file of predictions: what the network says, beside the labels and flags of the store."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fer.config.params import PARAMS, Predict, load_params
from fer.config.run import RunConfig
from fer.constants import IMAGE_SIZE, Split
from fer.data.near_duplicates import NearDuplicate, write_near_duplicates
from fer.errors import UserError
from fer.models.classifier import Classifier, Normalisation, load_classifier, save_classifier
from fer.models.networks import build
from fer.predictions.format import PredictionsError, read_predictions
from fer.predictions.predict import predict_system
from fer.store import Faces, create_store, open_store, read_split

ROOT = Path(__file__).parents[2]
SETTINGS = Predict(device="cpu", precision="float32", threads=1, batch_size=7)
HISTORY = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\n1,1.9,0.2,1.8,0.3\n"


def small() -> RunConfig:
    config = load_params(ROOT / PARAMS).config("cs231n_baseline")
    return config.changed({"network.filters": [4], "network.hidden": [8], "tta": "flip"})


def write_store(path: Path) -> None:
    generator = np.random.default_rng(0)
    with create_store(path, source_sha256="0" * 64) as writer:
        for start, split in zip((0, 40, 60), Split, strict=True):
            count = 40 if split is Split.training else 20
            images = generator.integers(0, 256, (count, 48, 48)).astype(np.uint8)
            labels = generator.integers(0, 7, count).astype(np.uint8)
            rows, leaked = start + np.arange(count), np.arange(count) < 3
            writer.append(split, Faces(images, labels, rows, leaked, np.zeros(count, np.bool_)))


def write_seed(folder: Path, seed: int, *, broken: bool = False) -> None:
    config = small()
    torch.manual_seed(seed)
    classifier = Classifier(Normalisation(120.0, 60.0), build(config.network, IMAGE_SIZE), tta=config.tta)
    state = classifier.state_dict()
    if broken:
        state = {name: torch.full_like(tensor, torch.nan) for name, tensor in state.items()}
    folder.mkdir(exist_ok=True)
    provenance = {"system": "small", "seed": seed, "config": config.model_dump()}
    save_classifier(folder / f"{seed}.safetensors", state, provenance)
    (folder / f"{seed}.csv").write_text(HISTORY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two seeds' weights, their predictions, and the store."""
    write_store(tmp_path / "store.h5")
    write_near_duplicates(tmp_path / "near.csv", [NearDuplicate(65, "PrivateTest", 0, 0.96, False)])
    for seed in (0, 1):
        write_seed(tmp_path / "models", seed)
    predicted(tmp_path, tmp_path / "out")
    return tmp_path


def predicted(folder: Path, out: Path) -> None:
    predict_system(folder / "models", folder / "store.h5", folder / "near.csv", out, SETTINGS)


def test_predictions_are_the_networks(folder: Path) -> None:
    classifier, _ = load_classifier(folder / "models" / "1.safetensors")
    with open_store(folder / "store.h5") as file:
        faces = read_split(file, Split.private_test)
    images = torch.from_numpy(faces.images)[:, None]
    with torch.inference_mode():
        expected = (classifier(images).softmax(1) + classifier(images.flip(-1)).softmax(1)).numpy() / 2
    splits, provenance = read_predictions(folder / "out" / "1.safetensors")
    private = splits[Split.private_test]
    np.testing.assert_allclose(private.probabilities, expected, atol=1e-3)
    np.testing.assert_array_equal(private.labels, faces.labels)
    np.testing.assert_array_equal(private.rows, faces.rows)
    np.testing.assert_array_equal(private.in_training, faces.in_training)
    assert np.flatnonzero(private.near_duplicate).tolist() == [5]  # row 65
    assert provenance["seed"] == 1
    assert provenance["predicted_on"]["precision"] == "float32"
    json.dumps(provenance)


def test_the_history_lies_beside_it(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "0.csv", "0.safetensors", "1.csv", "1.safetensors",
    ]  # fmt: skip
    assert (folder / "out" / "1.csv").read_text() == HISTORY


def test_a_second_prediction_gives_the_same_bytes(folder: Path) -> None:
    predicted(folder, folder / "again")
    for path in (folder / "out").iterdir():
        assert path.read_bytes() == (folder / "again" / path.name).read_bytes(), path.name


def test_a_seed_that_is_no_longer_trained_is_removed(folder: Path) -> None:
    for name in ("1.safetensors", "1.csv"):
        (folder / "models" / name).unlink()
    (folder / "out" / "notes.csv").touch()
    predicted(folder, folder / "out")
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["0.csv", "0.safetensors", "notes.csv"]


def test_a_file_that_no_seed_names_is_refused(folder: Path) -> None:
    (folder / "models" / "best.safetensors").touch()
    with pytest.raises(UserError, match=r"best\.safetensors: not named by a seed, as 0\.safetensors, "):
        predicted(folder, folder / "out")


def test_nothing_trained(folder: Path) -> None:
    with pytest.raises(UserError, match="absent: no trained seed"):
        predict_system(folder / "absent", folder / "store.h5", folder / "near.csv", folder / "out", SETTINGS)


def test_a_diverged_seed_is_named(folder: Path) -> None:
    write_seed(folder / "models", 2, broken=True)
    with pytest.raises(PredictionsError, match=r"2\.safetensors: .* diverged"):
        predicted(folder, folder / "new")
