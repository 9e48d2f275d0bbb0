"""`make fer2013 CSV=...` and `python -m fer source`: paths arrive as typed, whatever is in them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fer.app import CHECKOUT
from fer.cli.main import main

NAMES = (
    "plain.csv",
    "archive (1).zip",
    "with  two spaces.csv",
    "Zoë's Gesichter ÄÖÜ 表情.csv",
    "$HOME $(shell touch ran) ${PATH}.csv",
    "$$.csv",
    '"quoted" `touch ran`;touch ran & #.csv',
    "back\\slash*?.csv",
    "-rf",
    "~tilde.csv",
    "100%.csv",
)
STUB = """#!/bin/sh
echo "dvc $*"
"""
PYTHON = f"""#!/bin/sh
[ "$3" = results ] && exit
PYTHONPATH='{CHECKOUT}' exec '{sys.executable}' "$@"
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with our Makefile, whose environment has what counts as installed: a `dvc` that does nothing."""
    folder = tmp_path / "the checkout"
    executable(folder / ".venv/bin/dvc", STUB)
    executable(folder / ".venv/bin/python", PYTHON)
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copyfile(CHECKOUT / name, folder / name)
    (folder / ".venv/bin/.runtime").touch()
    return folder


def make(
    folder: Path, *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `make fer2013` as a person's shell would: PWD says where it was typed."""
    cwd = cwd or folder
    variables: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    place = [] if cwd == folder else ["-C", str(folder)]
    return subprocess.run(
        ["make", *place, "fer2013", *arguments],
        cwd=cwd, env={**variables, "PWD": str(cwd), **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def links(folder: Path) -> dict[str, Path]:
    return {path.name: path.readlink() for path in (folder / "data/source").iterdir()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_path_arrives_as_typed(checkout: Path, tmp_path: Path, name: str, absolute: bool) -> None:
    typed_in = tmp_path / "where it's typed"
    typed_in.mkdir()
    (typed_in / name).write_text("emotion")
    typed = str(typed_in / name) if absolute else name
    said = make(checkout, f"CSV={typed}", cwd=typed_in)
    assert said.returncode == 0, said.stderr
    assert links(checkout) == {name: typed_in / name}
    assert "dvc repro --keep-going" in said.stdout.splitlines()
    assert not list(tmp_path.rglob("ran"))


def test_a_path_without_dots_starts_in_the_folder_of_the_shell(checkout: Path, tmp_path: Path) -> None:
    for folder in (checkout, tmp_path):
        (folder / "fer 2013.csv").write_text("emotion")
    assert make(checkout, "CSV=fer 2013.csv").returncode == 0
    assert links(checkout) == {"fer 2013.csv": checkout / "fer 2013.csv"}
    assert make(checkout, "CSV=fer 2013.csv", cwd=tmp_path).returncode == 0
    assert links(checkout) == {"fer 2013.csv": tmp_path / "fer 2013.csv"}


def test_a_tilde_is_the_home(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "my votes.csv").write_text("votes")
    (tmp_path / "fer2013.csv").write_text("emotion")
    arguments = ("CSV=~/fer2013.csv", "FERPLUS=~/my votes.csv")
    assert make(checkout, *arguments, HOME=str(tmp_path)).returncode == 0
    assert links(checkout) == {name: tmp_path / name for name in ("fer2013.csv", "my votes.csv")}


def test_a_path_from_the_environment(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "$x (1).zip").write_text("PK")
    assert make(checkout, CSV=str(tmp_path / "$x (1).zip")).returncode == 0
    assert links(checkout) == {"$x (1).zip": tmp_path / "$x (1).zip"}


def test_an_error_has_the_absolute_path(checkout: Path, tmp_path: Path) -> None:
    said = make(checkout, "CSV=down loads/fer $2013.csv", cwd=tmp_path)
    assert said.returncode != 0
    assert f"error: {tmp_path}/down loads/fer $2013.csv: no such file or folder" in said.stderr
    assert "dvc repro" not in said.stdout


def test_without_a_path_what_lies_there_is_used(checkout: Path) -> None:
    said = make(checkout)
    assert said.returncode != 0
    assert "error: make fer2013 CSV=path" in said.stderr
    (checkout / "data/source").mkdir(parents=True)
    assert make(checkout).returncode == 0


def source(*paths: str) -> Result:
    return CliRunner().invoke(main, ["source", "--", *paths])


def test_links_of_an_earlier_call_go_and_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one.csv", "two.csv"):
        Path(name).touch()
    assert source("one.csv").exit_code == 0
    Path("data/source/mine.csv").write_text("mine")
    assert source("two.csv").exit_code == 0
    assert sorted(path.name for path in Path("data/source").iterdir()) == ["mine.csv", "two.csv"]
    Path("mine.csv").touch()
    said = source("mine.csv")
    assert said.output.startswith(f"error: {tmp_path}/data/source/mine.csv: a file of yours has that name")
    assert Path("data/source/mine.csv").read_text() == "mine"


def test_a_wrong_path_leaves_the_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.csv").touch()
    source("one.csv")
    assert source("absent.csv").output == f"error: {tmp_path}/absent.csv: no such file or folder\n"
    assert [path.name for path in Path("data/source").iterdir()] == ["one.csv"]


def test_a_users_own_source_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one.csv", "data/source"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("mine")
    assert source("one.csv").output.startswith(f"error: {tmp_path}/data/source: is yours and no folder")
    assert Path("data/source").read_text() == "mine"


@pytest.mark.parametrize("typed", ["data/source/one.csv", "data/source"])
def test_no_link_leads_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("mine")
    source("one.csv")
    assert source(typed).output.startswith(f"error: {tmp_path}/{typed}: lies in data/source already")
    assert Path("data/source/one.csv").read_text() == "mine"


@pytest.mark.parametrize("typed", ["..", ".", "../pipeline"])
def test_a_folder_that_holds_the_pipeline_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    (tmp_path / "pipeline").mkdir()
    monkeypatch.chdir(tmp_path / "pipeline")
    assert "holds data/source itself" in source(typed).output
    assert not list(Path("data/source").glob("*"))


def test_two_files_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("faces/fer.csv", "votes/fer.csv"):
        Path(name).parent.mkdir()
        Path(name).touch()
    assert "data/source has room for one of a name" in source("faces/fer.csv", "votes/fer.csv").output
    assert not Path("data/source/fer.csv").exists()
