"""Every block of params.yaml trains, the waiting ones too: one epoch on a few faces, at the smallest size."""

from pathlib import Path

import pytest

from fer.data.normalise import normalise_store
from fer.errors import UserError
from fer.models.classifier import load_classifier
from fer.params import load_params
from fer.training.job import run_job
from stages.jobs import seed_jobs
from stages.zoo import train_zoo
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


def test_zoo_trains_teachers_first_and_the_waiting_ones_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"data/normalised/synthetic\.h5: not there yet; `make repro` writes it"):
        next(train_zoo(PARAMS, tmp_path, epochs=1))
    write_store(tmp_path / "clean.h5")
    normalise_store(tmp_path / "clean.h5", Path("data/normalised/synthetic.h5"), method="pixel", drop_leaked=False)
    few = {"systems": {name: PARAMS.every_system[name] for name in ("cs231n_student", "cs231n")}}
    few["waiting"] = {"tuwani_augmented": PARAMS.every_system["tuwani_augmented"]}
    trained = list(train_zoo(PARAMS.model_copy(update=few), tmp_path / "zoo", epochs=1))
    assert [run.system for run in trained] == ["cs231n", "tuwani_augmented", "cs231n_student"]
    assert all(run.starts_from == "random" and 0 <= run.accuracy <= 1 and run.parameters for run in trained)
    _, provenance = load_classifier(tmp_path / "zoo" / "cs231n_student" / "0.safetensors")
    assert provenance["distil"] is not None
    assert provenance["epochs_trained"] == 1
