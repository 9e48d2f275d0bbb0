"""The stage as a whole: what it writes, from what, and that its documents are the rounded JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer.errors import UserError
from fer.report.documents import Places, Sources, write_documents
from tests.report.conftest import report
from tests.report.folder import BOOTSTRAP, make_folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_bytes_twice_and_nothing_else(folder: Path, docs: Path, tmp_path: Path) -> None:
    report(folder, tmp_path)
    assert files_of(tmp_path) == files_of(docs)
    assert set(files_of(docs)) == {
        "results.json", "results.md", "model_card.md", "report.html",
        "summary/accuracy.png", "summary/leaks.png", "summary/leaks.csv",
    }  # fmt: skip


def test_every_section_is_there(docs: Path) -> None:
    text = (docs / "results.md").read_text()
    titles = re.findall("^## (.*)$", text, re.MULTILINE)
    assert titles == [
        "Not run", "One against another", "Beyond accuracy, on PrivateTest", "Per emotion", "Ensemble", "Ablation",
        "Test faces that Training has too", "FER+ agreement", "Pictures",
    ]  # fmt: skip
    assert re.findall("^\\| (le_deep|flagship) .*needs", text, re.MULTILINE) == ["le_deep", "flagship"]  # as given
    assert "| flagship | – | – | needs its teachers |" in text
    assert "../plots/explain/cs231n/mean_maps.png" in text
    assert "gone" not in text  # explained once, the base of an ablation once: no longer run
    assert "left" not in text.split("## Ablation")[1].split("\n## ")[0]


def test_numbers_are_the_jsons(docs: Path) -> None:
    text, summary = (docs / "results.md").read_text(), json.loads((docs / "results.json").read_text())
    noise = summary["label_noise"]["PrivateTest"]
    assert f"gives it for {100 * noise['one_annotator']:.1f} %" in " ".join(text.split())
    entry = summary["systems"]["cs231n"]["PrivateTest"]
    assert f"| {100 * entry['accuracy']:.1f} ± {100 * entry['accuracy_std']:.1f} |" in text
    assert len((docs / "summary" / "leaks.csv").read_text().splitlines()) == 1 + 3 * 3


def test_prose_lines_have_an_end(docs: Path) -> None:
    for name in ("results.md", "model_card.md"):
        prose = [line for line in (docs / name).read_text().splitlines() if line[:1] not in "|-!"]
        assert max(map(len, prose)) <= 120


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Other data than FER2013, without votes, without an ablation or an explanation."""
    make_folder(tmp_path, rows=1200, kept={"Training": 960, "PublicTest": 120, "PrivateTest": 120})
    (tmp_path / "metrics" / "agreement.json").write_text("{}\n")
    for path in (*(tmp_path / "metrics").glob("ablation/*"), *(tmp_path / "metrics").glob("explain/*")):
        path.unlink()
    report(tmp_path, tmp_path / "docs")
    return tmp_path / "docs"


def test_what_was_not_measured_is_left_out(bare: Path) -> None:
    text, card, page = ((bare / name).read_text() for name in ("results.md", "model_card.md", "report.html"))
    assert "# Results on other faces than FER2013's" in text
    for absent in ("printed", "verdict", "people", "## Ablation", "## FER+", "what it looks at"):
        assert absent not in text
    assert "It is not FER2013" in " ".join(card.split())
    assert "Goodfellow" not in card
    assert all(f'id="{name}"' not in page for name in ("maps", "noise", "ablation"))
    assert 'id="results"' in page


def test_a_system_without_predictions_is_named(folder: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"variants": [], "not_run": {}, "pairs": [], **BOOTSTRAP}
    sources = Sources(folder / "data" / "predictions", folder / "data" / "ensemble", folder / "metrics")
    with pytest.raises(UserError, match="le_deep"):
        write_documents(sources, Places(tmp_path, tmp_path), systems=("cs231n", "le_deep"), **settings)
    assert list(tmp_path.iterdir()) == []
