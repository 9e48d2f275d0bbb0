"""What the documents are made of: the rounded summary, and what other stages left in metrics/."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.report.printed import is_fer2013
from fer.report.systems import System


@dataclass(frozen=True)
class Material:
    """Attributes:
    systems: predictions, provenances and histories of the systems that were run.
    summary: the content of docs/results.json, read back, so that every document shows the same digits; in the order
        of params.yaml.
    audit: of metrics/data.json.
    ensemble: of metrics/ensemble/0.json.
    ablation, explained: of metrics/ablation/ and metrics/explain/, by variant and by system.
    """

    systems: Mapping[str, System]
    summary: Mapping[str, Any]
    audit: Mapping[str, Any]
    ensemble: Mapping[str, Any]
    ablation: Mapping[str, Any]
    explained: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        return "FER2013" if is_fer2013(self.audit) else "other faces than FER2013's"


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_folder(folder: Path) -> dict[str, Any]:
    """Return the content of each JSON file by its name; nothing without the folder."""
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
