"""How many viewers were present, as each task said of each pane."""

from bisect import bisect_left, bisect_right
from collections import defaultdict


class _Levels:
    """A number that stays what it is from one pane until the next one that is known."""

    __slots__ = ("levels", "panes")

    def __init__(self) -> None:
        self.panes: list[int] = []
        self.levels: list[int] = []

    def index(self, pane: int) -> int:
        """Return where a pane stands; a new one begins with the level before it."""
        i = bisect_left(self.panes, pane)
        if i == len(self.panes) or self.panes[i] != pane:
            self.panes.insert(i, pane)
            self.levels.insert(i, self.levels[i - 1] if i else 0)
        return i

    def forget(self, before: int) -> None:
        """Drop the panes before a given one."""
        end = bisect_left(self.panes, before)
        del self.panes[:end]
        del self.levels[:end]


class Presence:
    """One session's viewers at the end of each pane, by source partition.

    A task that has said nothing of a pane counts with what it said last before it.
    """

    def __init__(self) -> None:
        self._said: defaultdict[int, _Levels] = defaultdict(_Levels)  # by partition
        self._all = _Levels()  # over the tasks, in every pane that one of them spoke of

    def tell(self, pane: int, partition: int, present: int) -> list[int]:
        """Take what a task says of a pane in place of what it said before.

        Returns the later panes whose windows this changes: the task counts there with this word.
        """
        said, known = self._said[partition], self._all
        at, start = said.index(pane), known.index(pane)
        by, said.levels[at] = present - said.levels[at], present
        if not by:
            return []
        until = said.panes[at + 1 : at + 2]  # where it speaks next
        end = bisect_left(known.panes, until[0]) if until else len(known.panes)
        for i in range(start, end):
            known.levels[i] += by
        # With the one where it speaks next: panes of which nobody spoke may lie before that.
        return known.panes[start + 1 : end + 1]

    def now(self) -> int:
        """Return how many are present as far as is known."""
        return self._all.levels[-1] if self._all.levels else 0

    def peak(self) -> int:
        """Return the most that were present at the end of any pane, or are now."""
        return max(self._all.levels, default=0)

    def over(self, first: int, end: int) -> tuple[int, int]:
        """Return how many were present at the end of some panes, and at most in them.

        ``first`` is the first of them, ``end`` the one after the last.
        """
        panes = self._all.panes
        start = max(bisect_right(panes, first) - 1, 0)
        levels = self._all.levels[start : bisect_left(panes, end)]
        return levels[-1], max(levels)

    def forget(self, before: int) -> int:
        """Drop the panes before a given one; returns the most that were present in them."""
        peak = max(self._all.levels[: bisect_left(self._all.panes, before)], default=0)
        for partition, said in self._said.items():
            for pane in said.panes[: bisect_left(said.panes, before)]:
                self.tell(pane, partition, 0)
            said.forget(before)
        self._all.forget(before)
        return peak
