"""The benchmarks measure what they say: the network sees the case's side, and operations are those that ran."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ingest, layout, peak, scale, time_to_accuracy
from benchmarks.__main__ import BENCHMARKS, render
from benchmarks.ours import CASES, Case, classifier_of, config_of, note, our_epoch, random_faces
from fer.constants import Split
from fer.data.normalise import normalise_store
from fer.training.batches import DeviceFaces, training_batches
from tests.data.test_normalise import write_store

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
@pytest.mark.parametrize("augmented", [True, False])
def test_the_network_sees_the_side_of_its_case(case: Case, augmented: bool) -> None:
    config = config_of(case, augmented=augmented)
    batch = next(training_batches(DeviceFaces(random_faces(2), Split.training, CPU), config, seed=0, epoch=0))
    seen: list[Tensor] = []
    classifier = classifier_of(case, config).eval()
    classifier.network.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    classifier(batch.images)
    assert seen[0].shape == (2, 1, case.side, case.side)


def test_an_epoch_trains() -> None:
    losses = [our_epoch(CASES[0], random_faces(100), CPU, augmented=augmented)() for augmented in (True, False)]
    assert all(np.isfinite(losses))


def test_the_peak_counts_the_products_that_run() -> None:
    with FlopCounterMode(display=False) as counter:
        peak.products(torch.ones(8, 8), torch.ones(8, 8))
    assert counter.get_total_flops() == peak.PRODUCTS * 2 * 8**3


def test_the_results_page_is_made_of_the_results_that_are_kept() -> None:
    assert (ROOT / "benchmarks" / "RESULTS.md").read_text() == render()


def test_a_row_from_before_the_crop_kept_its_side_is_marked() -> None:
    assert "48x48" in note([{"title": "VGG-like, 44x44"}])
    assert not note([{"title": "VGG-like, 44x44", "side": 44}])


@pytest.mark.parametrize("size", [1, 3])
def test_stages_are_timed_on_generated_faces(tmp_path: Path, size: int) -> None:
    scale.write_csv(tmp_path / "faces.csv", size, faces=dict.fromkeys(Split, 20))
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 60 * size + 1
    if size == 1:  # two processes of its own
        assert all(stage["seconds"] > 0 and stage["peak_mb"] > 10 for stage in scale.run_stages(tmp_path).values())


def test_the_ingest_of_a_csv_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scale.write_csv(tmp_path / "faces.csv", 1, faces=dict.fromkeys(Split, 20))
    monkeypatch.setattr(ingest, "CSV", tmp_path / "faces.csv")
    result = ingest.measure()
    assert result is not None
    assert result["rows"] == 60
    assert "60 rows" in ingest.report(result, "cpu")


def test_the_time_to_accuracy_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_store(tmp_path / "clean.h5")
    normalise_store(tmp_path / "clean.h5", tmp_path / "store.h5", drop_leaked=False)
    monkeypatch.setattr(time_to_accuracy, "STORE", tmp_path / "store.h5")
    monkeypatch.setattr(time_to_accuracy, "start", lambda: CPU)
    result = time_to_accuracy.measure()
    assert result is not None
    assert 1 <= len(result["history"]) <= result["epochs"] == 9
    assert "Goal: under 200 s." in time_to_accuracy.report(result, "cpu")
    assert "Goal: under 300 s." in time_to_accuracy.report(result, "cpu_float32")


def test_a_step_is_timed_in_both_layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SYSTEMS", ("tuwani",))
    monkeypatch.setattr(layout, "start", lambda: CPU)
    monkeypatch.setattr(layout, "ROUNDS", 1)
    row = layout.measure()["rows"][0]
    assert row["variants"].keys() == layout.LAYOUTS.keys()
    assert "`tuwani`" in layout.report({"rows": [row]}, "cpu")


@pytest.mark.parametrize("name", [*BENCHMARKS, "predictors"])
def test_it_can_be_imported(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").measure)
