"""Fast tests first: whatever needs a broker, and then the whole demo, comes after the rest."""

from pathlib import Path

import pytest

INTEGRATION = Path(__file__).parent / "integration"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by cost; within one cost they keep their order."""
    items.sort(key=cost)


def cost(item: pytest.Item) -> int:
    """Return 0 for a test of plain values, 1 for one with servers or a browser, 2 for the demo."""
    if item.get_closest_marker("demo"):
        return 2
    slow = any(item.get_closest_marker(name) for name in ("kafka", "browser"))
    return 1 if slow or INTEGRATION in item.path.parents else 0
