"""Timers: due times of visits, fired by stream time in a fixed order.

A visit has one timer, the earliest thing it waits for. It is set again lazily: an entry whose
time is no longer the visit's own ``due`` is stale and is passed over, so moving a timer later
costs nothing. Entries with the same due time share a bucket: eight bytes a viewer.
"""

from collections import defaultdict
from collections.abc import Iterator
from heapq import heappop, heappush

NEVER = 1 << 62


class Timers:
    """Viewers by session by due time, in ms, and a heap of the due times."""

    __slots__ = ("_buckets", "_heap", "next")

    def __init__(self) -> None:
        self._buckets: dict[int, defaultdict[str, list[str]]] = {}
        self._heap: list[int] = []
        self.next = NEVER

    def __len__(self) -> int:
        return sum(len(v) for bucket in self._buckets.values() for v in bucket.values())

    def set(self, due: int, session_id: str, viewer_id: str) -> None:
        """Add a timer; it fires when stream time reaches ``due``."""
        bucket = self._buckets.get(due)
        if bucket is None:
            bucket = self._buckets[due] = defaultdict(list)
            heappush(self._heap, due)
            self.next = self._heap[0]
        bucket[session_id].append(viewer_id)

    def due(self, now: int) -> Iterator[tuple[int, str, str]]:
        """Yield the timers up to ``now``, oldest first, then by session and viewer.

        Those that are set meanwhile are included.
        """
        while self._heap and self._heap[0] <= now:
            due = heappop(self._heap)
            for session_id, viewers in sorted(self._buckets.pop(due).items()):
                yield from ((due, session_id, viewer_id) for viewer_id in sorted(viewers))
        self.next = self._heap[0] if self._heap else NEVER
