"""Predictions through a file: half precision that changes no answer, and what a wrong file says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from fer.constants import Split
from fer.data.near_duplicates import NearDuplicate, write_near_duplicates
from fer.evaluation.metrics import confusion
from fer.predictions.format import (
    Predictions,
    PredictionsError,
    halved,
    near_duplicate_rows,
    read_predictions,
    read_seeds,
    write_predictions,
)
from tests.evaluation.test_metrics import both, predictions


@given(st.integers(0, 10_000), st.floats(0.01, 50), st.floats(1e-9, 1e-3))
def test_half_precision_keeps_every_answer_and_softmax(seed: int, scale: float, gap: float) -> None:
    """Also where a runner-up is as close as float32 can tell apart, and where two are level."""
    of = predictions(300, seed)
    logits = of.logits * np.float32(scale)
    best = logits.max(axis=1)
    logits[:100, 6] = best[:100] - np.float32(gap)
    logits[100:200, 0] = np.nextafter(best[100:200], np.float32(-np.inf))
    logits[200:250, 3] = best[200:250]
    full = replace(of, logits=logits)
    half = replace(of, logits=halved(logits).astype(np.float32))
    np.testing.assert_array_equal(half.predicted, full.predicted)
    np.testing.assert_array_equal(confusion(half), confusion(full))
    assert np.abs(half.probabilities - full.probabilities).max() < 1e-3


def test_half_precision_of_differences_out_of_its_range() -> None:
    logits = np.array([[-1e6, 0, 0, 0, 0, 0, 1e-30]], np.float32)
    assert halved(logits).dtype == np.float16
    assert np.isfinite(halved(logits)).all()
    assert halved(logits).argmax() == 6


def test_predictions_survive_a_file(tmp_path: Path) -> None:
    splits = both()
    write_predictions(tmp_path / "0.safetensors", splits, {"seed": 3})
    read, provenance = read_predictions(tmp_path / "0.safetensors")
    assert provenance == {"seed": 3}
    for split, expected in splits.items():
        assert read[split].logits.dtype == np.float32
        np.testing.assert_allclose(read[split].probabilities, expected.probabilities, atol=1e-3)
        for name in ("labels", "rows", "in_training", "near_duplicate"):
            np.testing.assert_array_equal(getattr(read[split], name), getattr(expected, name))
    write_predictions(tmp_path / "1.safetensors", splits, {"seed": 3})
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "0.safetensors").read_bytes()


def test_all_of_fer2013_is_small_enough_for_git(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    splits = {Split.public_test: predictions(3588, 1), Split.private_test: predictions(3589, 2)}
    write_predictions(path, splits, {"config": "x" * 2000})
    assert path.stat().st_size < 155_000
    assert load_file(path)["PrivateTest.rows"].dtype == np.int32


def test_a_diverged_network_is_named(tmp_path: Path) -> None:
    splits = both()
    splits[Split.private_test].logits[3, 1] = np.nan
    with pytest.raises(PredictionsError, match=r"0\.safetensors: the logits of PrivateTest are not finite"):
        write_predictions(tmp_path / "0.safetensors", splits, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no tensors", b""])
def test_another_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.safetensors").write_bytes(content)
    with pytest.raises(PredictionsError, match=r"0\.safetensors: not predictions"):
        read_predictions(tmp_path / "0.safetensors")


def test_seeds_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for seed in (10, 2, 0):
        write_predictions(tmp_path / "net" / f"{seed}.safetensors", both(), {"seed": seed})
    splits, provenances = read_seeds(tmp_path / "net")
    assert list(splits) == list(provenances) == [0, 2, 10]
    assert provenances[10] == {"seed": 10}


def test_a_folder_without_predictions(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="no predictions"):
        read_seeds(tmp_path)


def test_near_duplicates_as_ingest_writes_them(tmp_path: Path) -> None:
    pairs = [NearDuplicate(7, "PublicTest", 0, 0.96, False), NearDuplicate(31, "PrivateTest", 2, 1.0, True)]
    write_near_duplicates(tmp_path / "near.csv", pairs)
    assert near_duplicate_rows(tmp_path / "near.csv").tolist() == [7, 31]
    write_near_duplicates(tmp_path / "near.csv", [])
    assert near_duplicate_rows(tmp_path / "near.csv").tolist() == []


def test_the_sets_without_copies() -> None:
    of: Predictions = predictions(10, leaked=2, near=3)
    assert of.leak_free().rows.tolist() == list(range(2, 10))
    assert of.without_near_duplicates().rows.tolist() == list(range(3, 10))
