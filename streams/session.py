"""A session as one task sees it: its values, and which of them changed since the last commit."""

from streams.state import Affinity, Room, Shelf, Visit
from streams.totals import PaneTotals


class Session:
    """The state of one session in one task, with the keys that wait for the changelog."""

    __slots__ = (
        "_hot", "_hot_index", "affinity", "changed_affinity", "changed_panes", "changed_room",
        "changed_shelf", "changed_visits", "id", "panes", "room", "shelf", "unpublished", "visits",
    )  # fmt: skip

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.shelf = Shelf()
        self.room = Room()
        self.visits: dict[str, Visit] = {}
        self.panes: dict[int, PaneTotals] = {}
        self.affinity: dict[str, Affinity] = {}
        self.changed_shelf = False
        self.changed_room = False
        self.changed_visits: dict[str, Visit | None] = {}  # None: deleted
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
            totals = self.panes[index] = PaneTotals()
        self.changed_panes.add(index)
        self.unpublished.add(index)
        self._hot, self._hot_index = totals, index
        return totals

    def forget_pane(self, index: int) -> None:
        """Remove a dropped pane from what waits."""
        self.changed_panes.discard(index)
        self.unpublished.discard(index)
        self._hot_index = -1

    def is_changed(self) -> bool:
        """Tell whether anything waits for the changelog."""
        return bool(
            self.changed_visits or self.changed_panes or self.changed_affinity
            or self.changed_room or self.changed_shelf
        )  # fmt: skip

    def settled(self) -> None:
        """Note that the changelog has everything."""
        self.changed_visits = {}
        self.changed_panes.clear()
        self.changed_affinity.clear()
        self.changed_room = self.changed_shelf = False
        self._hot_index = -1

    def published(self) -> list[int]:
        """Return the panes to be published, oldest first, and note that they are."""
        panes = sorted(self.unpublished)
        self.unpublished.clear()
        self._hot_index = -1
        return panes
