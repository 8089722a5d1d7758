"""Where a task begins to read the logs that its state was made of."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.engine.intake import Intake
from agents.settings import Settings
from streams.store import Progress


class Lane:
    """Logs of this length, of which the group has committed so much."""

    def __init__(self, ends: dict[TP, int], committed: dict[TP, int]) -> None:
        self.begun: dict[TP, int | None] = {}
        self._ends = ends
        self._committed = committed

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Return the length of each log."""
        return {tp: self._ends[tp] for tp in tps}

    async def committed(self, tp: TP) -> int | None:
        """Return what the group has committed."""
        return self._committed.get(tp)

    async def rewind(self, tp: TP, offset: int | None) -> None:
        """Note where a log is begun."""
        self.begun[tp] = offset


async def begun(
    progress: Progress, *, ends: dict[TP, int], committed: dict[TP, int]
) -> tuple[dict[TP, int | None], dict[int, int]]:
    """Return where task 0 begins in each log of its own, and its cursors in the host's."""
    lane = Lane(ends, committed)
    parts: Any = SimpleNamespace(
        settings=Settings(), partitions=3, decoders={}, lane=lane,
        viewer_topics=("carts",), host_topic="host", totals_topic="totals",
    )  # fmt: skip
    intake = Intake(0, parts, lambda _: None)
    await intake.seek(progress)
    return lane.begun, intake.cursors


async def test_a_host_topic_that_was_made_anew_is_read_from_its_beginning() -> None:
    """A cursor past the end is of the topic before; one at the end may be of this one."""
    progress = Progress(host_offsets={0: 5_000, 1: 7, 2: 3})
    ends = {TP("host", 0): 4, TP("host", 1): 7, TP("host", 2): 9}
    _, cursors = await begun(progress, ends=ends, committed={})
    assert cursors == {1: 7, 2: 3}


@pytest.mark.parametrize(
    ("end", "committed", "begin"),
    [(9, {}, 5), (4, {}, None), (9, {TP("carts", 0): 6}, 6), (9, {TP("carts", 0): 3}, 5)],
    ids=["forgotten", "made-anew", "committed-later", "committed-before"],
)
async def test_a_task_begins_where_its_state_was_made(
    end: int, committed: dict[TP, int], begin: int | None
) -> None:
    """Unless the group knows better, or the topic was made anew and the group knows nothing."""
    progress = Progress(offsets={"carts": 5})
    found, _ = await begun(progress, ends={TP("carts", 0): end}, committed=committed)
    assert found == {TP("carts", 0): begin, TP("totals", 0): None}
