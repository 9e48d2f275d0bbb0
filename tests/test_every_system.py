"""Every block of params.yaml trains, the waiting ones too: one epoch on a few faces, at the smallest size."""

from pathlib import Path

import pytest

from fer.data.normalise import normalise_store
from fer.models.classifier import load_classifier
from fer.params import load_params
from fer.training.job import run_job
from stages.jobs import seed_jobs
from tests.data.test_normalise import write_store

PARAMS = load_params(Path(__file__).parent.parent / "params.yaml")


@pytest.mark.full
@pytest.mark.parametrize("system", PARAMS.every_system)
def test_it_trains(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "clean.h5")
    normalise_store(tmp_path / "clean.h5", tmp_path / "store.h5", method="pixel", drop_leaked=False)
    short = {"seeds": (0,), "max_epochs": 1, "epochs": {}, "max_input_size": 48}
    dataset = PARAMS.datasets["synthetic"].model_copy(update=short)
    params = PARAMS.model_copy(update={"systems": PARAMS.every_system, "datasets": {"toy": dataset}})
    (job,) = seed_jobs(params, dataset="toy", system=system, store=tmp_path / "store.h5", out=tmp_path / system)
    run_job(job, lambda *_: None)
    _, provenance = load_classifier(tmp_path / system / "0.safetensors")
    assert (provenance["system"], provenance["epochs_trained"]) == (system, 1)
