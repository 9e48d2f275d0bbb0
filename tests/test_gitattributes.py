"""DVC hashes bytes: a checkout with other line ends, or a changed binary file, would make every stage stale."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def git(*arguments: str, given: str | None = None) -> list[str]:
    said = subprocess.run(["git", *arguments], cwd=ROOT, input=given, capture_output=True, text=True, check=True)
    return said.stdout.rstrip("\0").split("\0")


def test_every_text_file_in_the_index_has_lf() -> None:
    """`git ls-files --eol` begins a line with i/lf, i/crlf, i/mixed, i/none or, for binary content, i/-text."""
    lines = git("ls-files", "--eol", "-z")
    assert len(lines) > 100
    wrong = [line for line in lines if not line.startswith(("i/lf", "i/none", "i/-text"))]
    assert wrong == []


def test_what_git_checks_out_as_text_has_lf_everywhere() -> None:
    attributes = git(
        "check-attr", "-z", "text", "eol", "--", "dvc.lock", "data/votes.csv", "Makefile", "docs/results.md"
    )
    assert attributes[2::3] == ["auto", "lf"] * 4


def test_binary_files_are_binary() -> None:
    """Those in git, and those that the pipeline will add."""
    names = [name for name in git("ls-files", "-z") if name.endswith((".safetensors", ".png"))]
    names += ["data/predictions/new/0.safetensors", "plots/new/pictures/curves.png"]
    for attribute in ("text", "diff", "merge"):
        said = git("check-attr", "-z", "--stdin", attribute, given="\0".join(names) + "\0")
        assert dict(zip(said[::3], said[2::3], strict=True)) == dict.fromkeys(names, "unset")


def test_no_binary_content_is_taken_for_text() -> None:
    """What git finds to be binary and has no attribute is left alone too, but for `text`, which would convert it."""
    binary = [line.split("\t")[1] for line in git("ls-files", "--eol", "-z") if line.startswith("i/-text")]
    said = git("check-attr", "-z", "--stdin", "text", given="\0".join(binary) + "\0")
    assert set(said[2::3]) <= {"unset", "auto"}
