"""A session as one task sees it: its values, and which of them changed since the last commit."""

from streams.sleeping import Visits
from streams.state import UNSCORED, Affinity, Room, Shelf
from streams.totals import PaneTotals


class Session:
    """The state of one session in one task, with the keys that wait for the changelog."""

    __slots__ = (
        "_hot", "_hot_index", "affinity", "changed_affinity", "changed_panes", "changed_room",
        "changed_shelf", "graded", "id", "panes", "room", "shelf", "unpublished", "visits",
    )  # fmt: skip

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.shelf = Shelf()
        self.room = Room()
        self.visits = Visits()
        self.graded = [0] * (UNSCORED + 1)  # visits by churn risk; the last one means nothing
        self.panes: dict[int, PaneTotals] = {}
        self.affinity: dict[str, Affinity] = {}
        self.changed_shelf = False
        self.changed_room = False
        self.changed_panes: set[int] = set()
        self.changed_affinity: set[str] = set()
        self.unpublished: set[int] = set()  # panes whose total changed since it was published
        self._hot_index = -1  # the pane that was asked for last, while nothing was settled
        self._hot = PaneTotals()

    def pane(self, index: int) -> PaneTotals:
        """Return the totals of a pane to be changed."""
        if index == self._hot_index:
            return self._hot
        totals = self.panes.get(index)
        if totals is None:
            newest = max(self.panes, default=index)
            if newest < index:
                self._say_present(newest)
            totals = self.panes[index] = PaneTotals(present=self._present_before(index))
        self.changed_panes.add(index)
        self.unpublished.add(index)
        self._hot, self._hot_index = totals, index
        return totals

    @property
    def risk_bins(self) -> list[int]:
        """How many present viewers have a churn risk in [0, .1), [.1, .2) and so on."""
        return self.graded[:UNSCORED]

    def regrade(self, before: int, after: int) -> None:
        """Note that a visit's churn risk, in tenths, is another one."""
        self.graded[before] -= 1
        self.graded[after] += 1

    def _say_present(self, newest: int) -> None:
        """Note in the newest pane who is there now; older ones have had their end."""
        before = self.panes[newest]
        if before.present != self.room.present:
            before.present = self.room.present
            self.changed_panes.add(newest)
            self.unpublished.add(newest)

    def _present_before(self, index: int) -> int:
        """Return who was there when a pane began; one that begins late says no other number."""
        before = max((pane for pane in self.panes if pane < index), default=None)
        return 0 if before is None else self.panes[before].present

    def forget_pane(self, index: int) -> None:
        """Remove a dropped pane from what waits."""
        self.changed_panes.discard(index)
        self.unpublished.discard(index)
        self._hot_index = -1

    def is_changed(self) -> bool:
        """Tell whether anything waits for the changelog."""
        return bool(
            self.visits.is_changed() or self.changed_panes or self.changed_affinity
            or self.changed_room or self.changed_shelf
        )  # fmt: skip

    def settled(self) -> None:
        """Note that the changelog has everything."""
        self.changed_panes.clear()
        self.changed_affinity.clear()
        self.changed_room = self.changed_shelf = False
        self._hot_index = -1

    def published(self) -> list[int]:
        """Return the panes to be published, oldest first, and note that they are."""
        self._say_present(max(self.panes))
        panes = sorted(self.unpublished)
        self.unpublished.clear()
        self._hot_index = -1
        return panes
