"""One run's settings: what its network sees, when its features can be computed once, and changes by dotted names."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fer.config.params import PARAMS, load_params
from fer.config.run import RunConfig, merged

CONFIG = load_params(Path(__file__).parents[2] / PARAMS).config("cs231n")


@pytest.mark.parametrize(("crop", "size", "side"), [(None, 48, 48), (44, 48, 44), (44, 64, 64), (None, 24, 24)])
def test_the_networks_side_is_the_crop_unless_it_is_scaled(crop: int | None, size: int, side: int) -> None:
    assert CONFIG.changed({"augment.crop": crop, "input_size": size}).side == side


@pytest.mark.parametrize(
    ("changes", "once"),
    [
        ({}, False),
        ({"transfer.trainable_stages": 0}, True),
        ({"transfer.trainable_stages": 1}, False),
        ({"transfer.trainable_stages": 0, "augment.flip": False}, True),
        ({"transfer.trainable_stages": 0, "augment.rotation": 5.0}, False),
        ({"transfer.trainable_stages": 0, "augment.crop": 44}, False),
        ({"transfer.trainable_stages": 0, "mixup": 0.2}, False),
        ({"transfer.trainable_stages": 0, "transfer.unfreeze_every": 2}, False),
    ],
)
def test_features_are_computed_once_where_nothing_changes_them(changes: dict[str, Any], once: bool) -> None:
    assert CONFIG.changed(changes).features_once is once


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
