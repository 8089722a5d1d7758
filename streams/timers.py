"""Timers: due times of visits, fired by stream time in a fixed order.

A visit has one timer, the earliest thing it waits for. It is set again lazily: an entry whose
time is no longer the visit's own ``due`` is stale and is passed over, so moving a timer later
costs nothing and the heap holds few entries per visit.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

NEVER = 1 << 62


class Timers:
    """A heap of (due ms, session, viewer)."""

    __slots__ = ("_heap", "next")

    def __init__(self) -> None:
        self._heap: list[tuple[int, str, str]] = []
        self.next = NEVER

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, due: int, session_id: str, viewer_id: str) -> None:
        """Add a timer; it fires when stream time reaches ``due``."""
        heappush(self._heap, (due, session_id, viewer_id))
        self.next = self._heap[0][0]

    def due(self, now: int) -> Iterator[tuple[int, str, str]]:
        """Yield the timers up to ``now``, oldest first; those set meanwhile are included."""
        while self._heap and self._heap[0][0] <= now:
            yield heappop(self._heap)
        self.next = self._heap[0][0] if self._heap else NEVER
