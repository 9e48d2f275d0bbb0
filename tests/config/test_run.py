"""One run's settings: what its network sees, when its features can be computed once, and changes by dotted names."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fer.config.params import PARAMS, load_params
from fer.config.run import RunConfig, merged

CONFIG = load_params(Path(__file__).parents[2] / PARAMS).config("cs231n")


def test_changes_reach_into_blocks_and_leave_the_rest() -> None:
    changed = CONFIG.changed({"lr": 0.5, "augment.rotation": 10.0, "network.dropout": 0.5, "network.hidden": [400]})
    assert (changed.lr, changed.augment.rotation, changed.augment.flip) == (0.5, 10.0, True)
    network = CONFIG.network.model_dump() | {"dropout": 0.5, "hidden": (400,)}
    assert changed.network.model_dump() == network
    assert RunConfig.model_validate(CONFIG.model_dump()) == CONFIG
    assert CONFIG.changed({}) == CONFIG


@pytest.mark.parametrize(
    "changes", [{"lr": 0}, {"lr.high": 1.0}, {"augment": None}, {"network.width": 0.5}, {"l2": 0.1}]
)
def test_changes_that_are_no_run_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CONFIG.changed(changes)


def test_blocks_are_merged_into_blocks_and_anything_else_is_replaced() -> None:
    content = {"a": {"b": 1, "c": 2}, "d": 3, "e": None}
    assert merged(content, {"a": {"b": 4}}) == {"a": {"b": 4, "c": 2}, "d": 3, "e": None}
    assert merged(content, {"a": 5, "d": {"f": 6}, "e": {"g": 7}}) == {"a": 5, "d": {"f": 6}, "e": {"g": 7}}
    assert content == {"a": {"b": 1, "c": 2}, "d": 3, "e": None}
