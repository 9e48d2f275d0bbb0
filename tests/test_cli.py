"""`python -m fer`: the results table and the switch of the dataset; what a wrong name says."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dvc.repo import Repo

from fer.cli import main
from fer.params import PARAMS, load_params

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / PARAMS, tmp_path)
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fer(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_results_shows_every_system_of_the_dataset() -> None:
    result = fer("results", "synthetic")
    assert result.exit_code == 0
    for system in ("cs231n", "cs231n_baseline", "cs231n_student"):
        assert system in result.output
    assert "dvc metrics diff" in result.output


def test_results_of_a_dataset_that_was_not_run() -> None:
    result = fer("results", "ferplus")
    assert result.exit_code == 1
    assert "not there yet" in result.output


def test_the_switch_changes_one_line_and_back() -> None:
    assert fer("dataset", "synthetic").exit_code == 0
    before = Path(PARAMS).read_text().splitlines()
    assert fer("dataset", "fer2013").exit_code == 0
    after = Path(PARAMS).read_text().splitlines()
    assert load_params().dataset == "fer2013"
    assert [old for old, new in zip(before, after, strict=True) if old != new] == [
        line for line in before if line.startswith("dataset:")
    ]
    assert fer("dataset", "synthetic").exit_code == 0
    assert Path(PARAMS).read_text().splitlines() == before


@pytest.mark.parametrize("switched", [False, True])
def test_what_the_other_dataset_made_outlives_a_checkout(project: Path, switched: bool) -> None:
    made = project / "metrics" / "other.json"
    made.write_text("{}")
    with Repo.init(no_scm=True) as repo:
        repo.state.save_link(str(made), repo.fs)  # as DVC does for each out of a stage
    if switched:
        assert fer("dataset", "fer2013").exit_code == 0
    with Repo() as repo:
        repo.checkout()
    assert made.exists() == switched


def test_an_unknown_dataset() -> None:
    result = fer("dataset", "imagenet")
    assert result.exit_code == 1
    assert "dataset=imagenet: no such name; known: synthetic, fer2013" in result.output


def test_broken_parameters_are_named() -> None:
    Path(PARAMS).write_text(Path(PARAMS).read_text().replace("alpha: 0.8", "alpha: 8"))
    result = fer("results")
    assert result.exit_code == 1
    assert "distil.alpha: 8: input should be less than or equal to 1" in result.output
