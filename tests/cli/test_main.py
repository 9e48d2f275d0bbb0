"""`python -m fer`: results, what each command says of itself, and what is wrong with params.yaml."""

import errno
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fer.app import CHECKOUT
from fer.cli.main import main
from fer.config.params import PARAMS


def fer(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands() -> None:
    names = ["app", "download", "evaluate-folder", "export", "predict", "results", "score", "search", "source"]
    assert sorted(main.commands) == names
    for name in main.commands:
        assert fer(name, "--help").exit_code == 0


@pytest.mark.parametrize("name", ["evaluate-folder", "export", "predict", "score", "source"])
def test_a_file_that_begins_with_a_dash(name: str) -> None:
    Path("-a.csv").touch()
    result = fer(name, "-a.csv")
    assert result.exit_code == 1
    assert "(-a.csv is a file: put -- before it)" in result.output


def test_results_that_are_not_there() -> None:
    result = fer("results")
    assert result.exit_code == 1
    assert result.output.startswith("error: docs/results.json: not there")


def test_what_the_system_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "mine/photos")

    monkeypatch.setattr("fer.report.tables.print_results", refuse)
    result = fer("results")
    assert (result.exit_code, result.output) == (1, "error: mine/photos: Permission denied\n")


def test_search_outside_a_pipeline_and_with_a_wrong_parameter(folder: Path) -> None:
    result = fer("search", "cs231n")
    assert result.exit_code == 1
    assert f"error: {folder / PARAMS}: not there" in result.output
    shutil.copy(CHECKOUT / PARAMS, folder)
    text = Path(PARAMS).read_text()
    Path(PARAMS).write_text(text.replace("alpha: 0.8", "alpha: 8"))
    result = fer("search", "cs231n")
    assert result.exit_code == 1
    assert "distil.alpha: 8: input should be less than or equal to 1" in result.output
