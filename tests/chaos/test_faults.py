"""One run of the faults that a change breaks first; ``make chaos`` does all of them often."""

import pytest

from tests.chaos.campaign import Stage, execute
from tests.chaos.catalogue import FAULTS

pytestmark = pytest.mark.kafka

SHORT = ("kill-all", "zombie-in-transaction", "rolling-restart", "broker-leader-killed")


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_and_nothing_doubled(on: Stage, name: str) -> None:
    """All invariants hold after the fault."""
    assert execute(on, FAULTS[name], 1_000).evidence == []
