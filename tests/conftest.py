"""Which tests run first; and a machine that is busy with something else must not fail a test of examples."""

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, so that one process runs it while another runs all others."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")
