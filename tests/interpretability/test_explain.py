"""The stage's own rules: which faces, what is measured, what it leaves behind."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fer.data.store import Faces, create_store
from fer.emotions import EMOTION_NAMES, Emotion, Split
from fer.evaluation.predictions import Predictions, write_predictions
from fer.interpretability import figures, halves
from fer.interpretability.explain import Places, Settings, explain_system, first_faces, read_maps
from fer.interpretability.notes import note_not_run
from fer.models.classifier import Classifier, Normalisation, save_classifier
from fer.models.zoo import build

SETTINGS = Settings(
    faces=2, shown=1, gallery=4, steps=3, seed=0, resamples=200, device="cpu", threads=torch.get_num_threads()
)


def faces(count: int) -> Faces:
    rng = np.random.default_rng(0)
    none = np.zeros(count, np.bool_)
    return Faces(
        rng.integers(0, 256, (count, 48, 48)).astype(np.uint8),
        (np.arange(count) % 7).astype(np.uint8),
        np.arange(100, 100 + count),
        none,
        none,
    )


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Two seeds, the second better on PublicTest, with their predictions and the store."""
    of_split = faces(21)
    with create_store(tmp_path / "store.h5", source_sha256="0") as writer:
        for split in Split:
            writer.append(split, of_split)
    rng = np.random.default_rng(1)
    for seed, accuracy in ((0, 0.2), (1, 0.3)):
        torch.manual_seed(seed)
        state = Classifier(Normalisation(128.0, 60.0), build("lausanne_cnn1")).state_dict()
        provenance = {
            "model": "lausanne_cnn1", "network": {"side": 48}, "normalise": "global", "seed": seed, "system": "toy",
            "validation_accuracy": accuracy,
        }  # fmt: skip
        save_classifier(tmp_path / "models" / f"{seed}.safetensors", state, provenance)
        logits = rng.normal(size=(21, 7)).astype(np.float32)
        answers = Predictions(logits, of_split.labels, of_split.rows, of_split.in_training, of_split.in_training)
        both = {Split.public_test: answers, Split.private_test: answers}
        write_predictions(tmp_path / "predictions" / f"{seed}.safetensors", both, provenance)
    return tmp_path


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_written_and_the_same_bytes_twice(trained: Path) -> None:
    for run in ("a", "b"):
        out = trained / run
        places = Places(out / "faces", out / "metrics.json", out / "plots")
        explain_system(trained / "models", trained / "predictions", trained / "store.h5", places, SETTINGS)
    assert files_of(trained / "a") == files_of(trained / "b")
    metrics = json.loads((trained / "a" / "metrics.json").read_text())
    assert metrics["seed"] == 1
    assert metrics["faces"] == 14
    assert set(metrics["faithfulness"]) == {"saliency", "occlusion", "grad_cam", "random_pixels", "random_blots"}
    assert set(metrics["upper_half"]["saliency"]) == {*EMOTION_NAMES, "anger_minus_happy"}
    shown = read_maps(trained / "a" / "faces" / "maps.safetensors")
    assert shown.labels.tolist() == list(range(7))
    assert shown.rows.tolist() == list(range(100, 107))


def test_faces_are_chosen_by_order_alone() -> None:
    labels = np.array([3, 0, 3, 0, 0, 6], np.uint8)
    assert first_faces(labels, 2).tolist() == [1, 3, 0, 2, 5]


def test_a_system_that_is_not_run_leaves_its_outs(tmp_path: Path) -> None:
    note_not_run(tmp_path / "faces", tmp_path / "metrics.json", tmp_path / "plots")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"faces": 0}
    assert (tmp_path / "plots" / "deletion.csv").read_text() == "method,pixels,probability\n"
    assert (tmp_path / "faces" / "not_run.txt").exists()


def test_upper_share_of_a_known_map() -> None:
    maps = np.zeros((3, 48, 48), np.float32)
    maps[0, :24], maps[0, 24:] = 3.0, 1.0
    maps[1, 40, 40], maps[1, 3, 3] = 1.0, -5.0
    shares = halves.upper_shares(maps)
    assert shares[:2].tolist() == [0.75, 0.0]
    assert np.isnan(shares[2])


@pytest.mark.parametrize(
    ("emotion", "mean", "words"),
    [
        (Emotion.anger, 0.7, "70.0 % of the map lies in the upper half"),
        (Emotion.happy, 0.7, "30.0 % of the map lies in the lower half"),
    ],
)
def test_the_sentence_names_the_claimed_half(emotion: Emotion, mean: float, words: str) -> None:
    found = {"mean": mean, "low": 0.6, "high": 0.8, "faces": 9}
    text = halves.sentence(emotion, found)
    assert words in text
    assert text.endswith("as report 000 says" if emotion == Emotion.anger else "against report 000")
    assert halves.sentence(emotion, found | {"low": 0.4}).endswith("not shown either way")


def test_the_interval_holds_the_mean_and_narrows() -> None:
    values = np.random.default_rng(0).uniform(0, 1, 400)
    wide, narrow = (halves.share(part, resamples=2000, seed=0) for part in (values[:40], values))
    assert wide is not None
    assert narrow is not None
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < wide.high - wide.low
    assert halves.share(np.array([np.nan]), resamples=10, seed=0) is None


def test_a_mean_map_counts_every_face_alike() -> None:
    maps = np.zeros((3, 48, 48), np.float32)
    maps[0, 0, 0], maps[1, 5, 5], maps[1, 1, 1] = 1000.0, 0.1, -3.0
    mean = figures.mean_map(maps)
    assert mean[0, 0] == pytest.approx(0.5)
    assert mean[5, 5] == pytest.approx(0.5)
    assert mean[1, 1] == 0
