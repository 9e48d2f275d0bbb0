"""The stage's own rules: which faces, what is measured, what it leaves behind."""

import json
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from fer.config.params import Explain, load_params
from fer.constants import EMOTION_NAMES, Split
from fer.errors import UserError
from fer.explain import regions
from fer.explain.explain import Places, explain_system, first_faces
from fer.explain.measure import compact, mean_map
from fer.models.best_seed import best_seed
from fer.models.classifier import Classifier, Normalisation, save_classifier
from fer.models.networks import build
from fer.predictions.format import Predictions, write_predictions
from fer.store import Faces, create_store

CONFIG = load_params(Path(__file__).parents[2] / "params.yaml").config("lausanne_cnn1").changed({"normalise": "global"})


def faces(count: int) -> Faces:
    rng = np.random.default_rng(0)
    none = np.zeros(count, np.bool_)
    images = rng.integers(0, 256, (count, 48, 48)).astype(np.uint8)
    return Faces(images, (np.arange(count) % 7).astype(np.uint8), np.arange(100, 100 + count), none, none)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds, the second better on PublicTest, with their predictions and the store."""
    folder = tmp_path_factory.mktemp("trained")
    of_split = faces(21)
    with create_store(folder / "store.h5", source_sha256="0") as writer:
        for split in Split:
            writer.append(split, of_split)
    rng = np.random.default_rng(1)
    for seed, accuracy in ((0, 0.2), (1, 0.3)):
        torch.manual_seed(seed)
        state = Classifier(Normalisation(128.0, 60.0), build(CONFIG.network, 48)).state_dict()
        provenance = {"config": CONFIG.model_dump(), "seed": seed, "system": "toy", "validation_accuracy": accuracy}
        save_classifier(folder / "toy" / f"{seed}.safetensors", state, provenance)
        logits = rng.normal(size=(21, 7)).astype(np.float32)
        answers = Predictions(logits, of_split.labels, of_split.rows, of_split.in_training, of_split.in_training)
        both = {Split.public_test: answers, Split.private_test: answers}
        write_predictions(folder / "predictions" / f"{seed}.safetensors", both, provenance)
    return folder


@pytest.fixture(scope="module")
def explained(trained: Path) -> Path:
    return run(trained, "a")


def run(trained: Path, name: str) -> Path:
    out = trained / name
    explain_system(
        trained / "toy",
        trained / "predictions",
        trained / "store.h5",
        Places(out / "faces", out / "metrics.json", out / "plots"),
        settings=Explain(faces=2, shown=1, gallery=4, steps=3, resamples=200, seed=0),
    )
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_written_and_the_same_bytes_twice(trained: Path, explained: Path) -> None:
    first = files_of(explained)
    assert first == files_of(run(trained, "b"))
    assert {name for name in first if name.startswith("plots")} == {
        "plots/deletion.csv", "plots/insertion.csv", "plots/mean_maps.png", "plots/faithfulness.png",
    }  # fmt: skip
    assert {"faces/faces.png", "faces/maps.safetensors", "faces/galleries.json"} <= set(first)


def test_the_metrics_are_all_that_the_report_draws(explained: Path) -> None:
    metrics = json.loads((explained / "metrics.json").read_text())
    assert (metrics["seed"], metrics["faces"]) == (1, 14)
    lines = {"saliency", "occlusion", "grad_cam", "random_pixels", "random_blots"}
    assert set(metrics["faithfulness"]) == set(metrics["curves"]["deletion"]) == lines
    assert all(len(curve) == 4 for curve in metrics["curves"]["insertion"].values())
    assert set(metrics["upper_half"]["saliency"]) == {*EMOTION_NAMES, "anger_minus_happy"}
    assert set(metrics["mean_maps"]) == {"saliency", "occlusion", "grad_cam"}
    assert len(b64decode(metrics["mean_maps"]["saliency"]["fear"])) == 24 * 24
    assert len((explained / "metrics.json").read_bytes()) < 30_000


def test_the_faces_shown_are_each_emotions_first(explained: Path) -> None:
    shown = load_file(explained / "faces" / "maps.safetensors")
    assert shown["labels"].tolist() == list(range(7))
    assert shown["rows"].tolist() == list(range(100, 107))


def test_faces_are_chosen_by_order_alone() -> None:
    labels = np.array([3, 0, 3, 0, 0, 6], np.uint8)
    assert first_faces(labels, 2).tolist() == [1, 3, 0, 2, 5]


def test_the_best_seed_is_public_tests(trained: Path, tmp_path: Path) -> None:
    assert best_seed(trained / "toy").name == "1.safetensors"
    with pytest.raises(UserError, match="no trained seed"):
        best_seed(tmp_path)


def test_upper_share_of_a_known_map() -> None:
    maps = np.zeros((3, 48, 48), np.float32)
    maps[0, :24], maps[0, 24:] = 3.0, 1.0
    maps[1, 40, 40], maps[1, 3, 3] = 1.0, -5.0
    shares = regions.upper_shares(maps)
    assert shares[:2].tolist() == [0.75, 0.0]
    assert np.isnan(shares[2])


def test_anger_above_happiness_is_a_difference_with_an_interval() -> None:
    maps = np.zeros((20, 48, 48), np.float32)
    maps[:10, :24], maps[:10, 24:] = 3.0, 1.0  # anger: three quarters above
    maps[10:] = 1.0
    labels = np.array([0] * 10 + [3] * 10, np.uint8)
    found = regions.by_emotion(maps, labels, resamples=100, seed=0)
    assert found["anger_minus_happy"] == pytest.approx({"mean": 0.25, "low": 0.25, "high": 0.25})
    assert found["fear"] is None
    assert regions.by_emotion(maps[:10], labels[:10], resamples=10, seed=0)["anger_minus_happy"] is None


def test_the_interval_holds_the_mean_and_narrows() -> None:
    values = np.random.default_rng(0).uniform(0, 1, 400)
    wide, narrow = (regions.share(part, resamples=2000, seed=0) for part in (values[:40], values))
    assert wide is not None
    assert narrow is not None
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < wide.high - wide.low
    assert regions.share(np.array([np.nan]), resamples=10, seed=0) is None


def test_a_mean_map_counts_every_face_alike() -> None:
    maps = np.zeros((3, 48, 48), np.float32)
    maps[0, 0, 0], maps[1, 5, 5], maps[1, 1, 1] = 1000.0, 0.1, -3.0
    mean = mean_map(maps)
    assert mean[0, 0] == pytest.approx(0.5)
    assert mean[5, 5] == pytest.approx(0.5)
    assert mean[1, 1] == 0


def test_compact_maps_keep_rows_and_the_methods_scale() -> None:
    means = np.zeros((7, 48, 48))
    means[0, :2, 46:], means[3, 47, 0] = 2.0, 4.0  # a whole place; a quarter of another
    maps = {name: np.frombuffer(b64decode(text), np.uint8).reshape(24, 24) for name, text in compact(means).items()}
    assert maps["anger"][0, 23] == 255
    assert maps["happy"][23, 0] == 128
    assert maps["fear"].max() == 0
