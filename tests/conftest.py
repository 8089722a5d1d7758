"""Fast tests first: whatever needs a broker, and then the whole demo, comes after the rest."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

#: ``HYPOTHESIS_PROFILE=thorough make test`` tries 2,000 examples of every property.
THOROUGH = 2_000
FEW = 10
settings.register_profile("quick", settings(), max_examples=5, deadline=None)
settings.register_profile("thorough", settings(), max_examples=THOROUGH, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

INTEGRATION = Path(__file__).parent / "integration"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by cost; within one cost they keep their order."""
    items.sort(key=cost)
    if settings.get_current_profile_name() == "thorough":
        for item in items:
            try_thoroughly(item)


def try_thoroughly(item: pytest.Item) -> None:
    """Let a property that names its own number of examples follow the profile as well.

    But for those whose every example is a world of its own: they name but a few.
    """
    test = getattr(item, "function", None)
    own: settings | None = getattr(test, "_hypothesis_internal_use_settings", None)
    if own is not None and FEW < own.max_examples < THOROUGH:
        test._hypothesis_internal_use_settings = settings(  # type: ignore[union-attr]
            own,
            max_examples=THOROUGH,  # there is no public way to decorate twice
        )


def cost(item: pytest.Item) -> int:
    """Return 0 for a test of plain values, 1 for one with servers or a browser, 2 for the demo."""
    if item.get_closest_marker("demo"):
        return 2
    slow = any(item.get_closest_marker(name) for name in ("kafka", "browser"))
    return 1 if slow or INTEGRATION in item.path.parents else 0
