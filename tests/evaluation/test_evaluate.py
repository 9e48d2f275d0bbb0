"""A system evaluated from its files: what lies there afterwards, and that it says what the network said."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer.data.near_duplicates import NearDuplicate, write_near_duplicates
from fer.data.normalise import normalise_store
from fer.data.store import open_store, read_split
from fer.data.votes import Votes, acquire_votes
from fer.emotions import Split
from fer.errors import UserError
from fer.evaluation import predict
from fer.evaluation.compare import read_seeds
from fer.evaluation.evaluate import Places, Settings, Sources, evaluate_system, measure_seed, read_faces
from fer.evaluation.plots_data import note_not_run
from fer.evaluation.predict import EvaluatedFaces, Runtime, predict_once
from fer.evaluation.predictions import predicted_from, read_predictions, write_predictions
from fer.models.classifier import load_classifier
from fer.models.published import publish
from fer.not_run import is_noted
from fer.training.runs import train_seeds
from tests.data.test_normalise import write_store
from tests.evaluation.test_metrics import both
from tests.training.test_runs import jobs

RUNTIME = Runtime(device="cpu", precision="float32", threads=1, batch_size=7)
SETTINGS = Settings(resamples=50, bootstrap_seed=0, runtime=RUNTIME)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trained and evaluated seeds."""
    folder = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_store(folder / "clean.h5")
        normalise_store(folder / "clean.h5", folder / "store.h5", method="pixel", drop_leaked=False)
        train_seeds(jobs(folder / "store.h5", folder / "models" / "cs231n"), workers=1)
        write_near_duplicates(folder / "near.csv", [])
        acquire_votes(None, folder / "votes.csv")
        evaluate_system(sources(folder), places(folder), SETTINGS)
    return folder


def sources(folder: Path) -> Sources:
    return Sources(folder / "models" / "cs231n", folder / "store.h5", folder / "near.csv", folder / "votes.csv")


def places(folder: Path) -> Places:
    return Places(folder / "predictions", folder / "metrics", folder / "plots")


def test_every_out_is_there(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "predictions").iterdir()) == ["0.safetensors", "1.safetensors"]
    assert sorted(path.name for path in (folder / "metrics").iterdir()) == ["0.json", "1.json"]
    tables = sorted(path.name for path in (folder / "plots").iterdir())
    assert tables == ["accuracy.csv", "confusion.csv", "loss.csv", "pictures", "reliability.csv"]


def test_predictions_are_the_networks(folder: Path) -> None:
    classifier, _ = load_classifier(folder / "models" / "cs231n" / "1.safetensors")
    with open_store(folder / "store.h5") as file:
        faces = read_split(file, Split.private_test)
    with torch.inference_mode():
        expected = classifier(torch.from_numpy(faces.images)[:, None]).numpy()
    splits, provenance = read_predictions(folder / "predictions" / "1.safetensors")
    np.testing.assert_allclose(splits[Split.private_test].logits, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(splits[Split.private_test].labels, faces.labels)
    assert provenance["seed"] == 1


def test_metrics_say_where_they_come_from(folder: Path) -> None:
    content = json.loads((folder / "metrics" / "0.json").read_text())
    provenance = content["provenance"]
    assert {"seed", "data_sha256", "recipe", "device", "system", "best_epoch"} <= set(provenance)
    splits, _ = read_predictions(folder / "predictions" / "0.safetensors")
    private = splits[Split.private_test]
    assert content["PrivateTest"]["accuracy"] == pytest.approx((private.predicted == private.labels).mean(), abs=1e-6)


def test_a_second_evaluation_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    evaluate_system(sources(folder), places(tmp_path), SETTINGS)
    for kind in ("predictions", "metrics", "plots"):
        for path in (tmp_path / kind).rglob("*.*"):
            assert path.read_bytes() == (folder / kind / path.relative_to(tmp_path / kind)).read_bytes(), path


def test_logits_are_kept_until_what_they_come_from_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file gets logits that no network said: what comes back tells whether they were kept."""
    kept, weights = tmp_path / "0.safetensors", folder / "models" / "cs231n" / "0.safetensors"
    faces = read_faces(sources(folder))
    splits, provenance = read_predictions(folder / "predictions" / "0.safetensors")
    said = splits[Split.private_test].logits.copy()
    splits[Split.private_test].logits[:] = 7.0
    write_predictions(kept, splits, provenance)

    def logits(weights: Path = weights, faces: EvaluatedFaces = faces, runtime: Runtime = RUNTIME) -> Any:
        return predict_once(weights, faces, kept, runtime).splits[Split.private_test].logits

    assert (logits() == 7.0).all()
    np.testing.assert_array_equal(logits(faces=replace(faces, sha256="another store")), said)
    np.testing.assert_allclose(logits(runtime=replace(RUNTIME, batch_size=5)), said, rtol=1e-3, atol=1e-3)
    other = read_predictions(folder / "predictions" / "1.safetensors")[0][Split.private_test].logits
    np.testing.assert_array_equal(logits(weights.with_name("1.safetensors")), other)
    monkeypatch.setattr(predict, "predicting_code", lambda: {"fer/models/plain.py": "changed"})
    np.testing.assert_array_equal(logits(), said)


def test_marks_are_todays_where_logits_are_kept(folder: Path, tmp_path: Path) -> None:
    row = int(read_predictions(folder / "predictions" / "0.safetensors")[0][Split.private_test].rows[0])
    write_near_duplicates(tmp_path / "near.csv", [NearDuplicate(row, "PrivateTest", 0, 0.96, False)])
    faces = read_faces(replace(sources(folder), near_duplicates=tmp_path / "near.csv"))
    weights = folder / "models" / "cs231n" / "0.safetensors"
    predicted = predict_once(weights, faces, folder / "predictions" / "0.safetensors", RUNTIME)
    assert predicted.splits[Split.private_test].near_duplicate.tolist() == [True] + [False] * 9


def test_predictions_that_say_nothing_of_their_origin_are_made_anew(tmp_path: Path) -> None:
    assert predicted_from(tmp_path / "absent.safetensors") is None
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    assert predicted_from(tmp_path / "broken.safetensors") is None
    write_predictions(tmp_path / "0.safetensors", both(), {"seed": 3})
    assert predicted_from(tmp_path / "0.safetensors") is None


def test_what_an_earlier_run_left_is_removed(folder: Path, tmp_path: Path) -> None:
    """DVC keeps this out between runs."""
    shutil.copytree(folder, tmp_path / "copy")
    left = tmp_path / "copy" / "predictions"
    shutil.copy(left / "0.safetensors", left / "7.safetensors")
    (left / "not_run.txt").write_text("")
    evaluate_system(sources(tmp_path / "copy"), places(tmp_path / "copy"), SETTINGS)
    assert sorted(path.name for path in left.iterdir()) == ["0.safetensors", "1.safetensors"]
    note_not_run(left, tmp_path / "metrics", tmp_path / "plots")
    assert [path.name for path in left.iterdir()] == ["not_run.txt"]


def test_the_code_of_the_logits_is_what_predicts() -> None:
    names = set(predict.predicting_code())
    assert {"fer/models/classifier.py", "fer/models/plain.py", "fer/models/pooling.py"} <= names
    assert not {"fer/models/zoo.py", "fer/evaluation/metrics.py"} & names


def test_votes_reach_the_metrics() -> None:
    splits = both()
    private = splits[Split.private_test]
    splits[Split.private_test] = replace(private, rows=private.rows + 200)
    counts = np.zeros((400, 10), np.uint8)
    counts[np.arange(400), np.concatenate([of.labels for of in splits.values()])] = 10
    votes = Votes(np.array(["PublicTest"] * 200 + ["PrivateTest"] * 200), counts)
    content = measure_seed(splits, votes, SETTINGS)
    crowd, accuracy = content["crowd"], content["PrivateTest"]["accuracy"]
    assert crowd["accuracy_crowd"] == crowd["accuracy_label"] == accuracy
    assert content["leaks"]["clean"]["accuracy"] == content["PrivateTest_no_near_duplicates"]["accuracy"]
    assert content["calibration"]["before"]["log_loss"] == content["PrivateTest"]["log_loss"]
    assert measure_seed(splits, None, SETTINGS)["crowd"] is None


def test_a_system_that_was_not_run(tmp_path: Path) -> None:
    note_not_run(tmp_path / "predictions", tmp_path / "metrics", tmp_path / "plots")
    assert is_noted(tmp_path / "metrics")
    assert is_noted(tmp_path / "plots" / "pictures")
    assert (tmp_path / "plots" / "loss.csv").read_text() == "seed,epoch,split,loss\n"
    assert read_seeds(tmp_path / "predictions") == ({}, {})


def test_predictions_survive_a_file(tmp_path: Path) -> None:
    splits = both()
    write_predictions(tmp_path / "0.safetensors", splits, {"seed": 3})
    read, provenance = read_predictions(tmp_path / "0.safetensors")
    assert provenance == {"seed": 3}
    for split, expected in splits.items():
        np.testing.assert_array_equal(read[split].logits, expected.logits)
        np.testing.assert_array_equal(read[split].in_training, expected.in_training)


def test_the_best_seed_on_public_test_is_published(folder: Path, tmp_path: Path) -> None:
    publish(folder / "models", tmp_path / "published", ("cs231n",))
    index = json.loads((tmp_path / "published" / "index.json").read_text())
    accuracies = [
        load_classifier(folder / "models" / "cs231n" / f"{seed}.safetensors")[1]["validation_accuracy"]
        for seed in (0, 1)
    ]
    assert index["cs231n"]["validation_accuracy"] == max(accuracies)
    load_classifier(tmp_path / "published" / "cs231n.safetensors")


def test_nothing_trained_nothing_published(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no trained seed to publish"):
        publish(tmp_path, tmp_path / "published", ("cs231n",))
