"""The folder that the documents are made from, and the documents."""

from pathlib import Path

import pytest

from fer.report.documents import Places, Sources, write_documents
from tests.report.folder import BOOTSTRAP, INJECTED, NAMES, make_folder


def report(root: Path, docs: Path) -> None:
    """Write every document of the folder `root` to `docs`."""
    write_documents(
        Sources(root / "data" / "predictions", root / "data" / "ensemble", root / "metrics"),
        Places(docs, docs / "summary"),
        systems=NAMES,
        variants=["wider"],
        not_run={"le_deep": "needs a GPU", "flagship": "needs its teachers"},
        pairs=[("cs231n", INJECTED), ("cs231n", "le_deep")],
        **BOOTSTRAP,
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pipeline")
    make_folder(root)
    return root


@pytest.fixture(scope="session")
def docs(folder: Path) -> Path:
    report(folder, folder / "docs")
    return folder / "docs"
