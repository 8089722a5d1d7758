"""How many viewers were present, as each task said of each pane."""

from collections.abc import Iterable


class Presence:
    """One session's viewers at the end of each pane, by source partition.

    A task that has said nothing of a pane yet counts with what it said last.
    """

    def __init__(self) -> None:
        self._panes: dict[int, dict[int, int]] = {}
        self._sums: dict[int, int] = {}  # by pane, over the tasks that spoke of it
        self._newest: dict[int, int] = {}  # by partition: the newest pane that it spoke of

    def tell(self, pane: int, partition: int, present: int) -> None:
        """Take what a task says of a pane in place of what it said before."""
        said = self._panes.setdefault(pane, {})
        self._sums[pane] = self._sums.get(pane, 0) + present - said.get(partition, 0)
        said[partition] = present
        self._newest[partition] = max(self._newest.get(partition, pane), pane)

    def now(self) -> int:
        """Return how many are present as far as is known."""
        return sum(self._panes[pane][partition] for partition, pane in self._newest.items())

    def peak(self) -> int:
        """Return the most that were present at the end of any pane, or are now."""
        return max(self.now(), *self._sums.values()) if self._sums else 0

    def over(self, panes: Iterable[int]) -> tuple[int, int]:
        """Return how many were present at the end of some panes, and at most in them."""
        last: dict[int, int] = {}
        peak = 0
        for pane in panes:
            if pane in self._panes:
                last |= self._panes[pane]
                peak = max(peak, self._sums[pane])
        present = sum(last.values())
        return present, max(peak, present)

    def forget(self, before: int) -> int:
        """Drop the panes before a given one; returns the most that were present in them."""
        self._newest = {q: pane for q, pane in self._newest.items() if pane >= before}
        peak = 0
        for pane in [pane for pane in self._panes if pane < before]:
            del self._panes[pane]
            peak = max(peak, self._sums.pop(pane))
        return peak
