"""How much a task holds, at a price that does not grow with it.

Keys are counted by asking each map for its length. Bytes are these counts times the mean size
of the newest values of each kind, of which every commit contributes a few.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct, field

from streams.changelog import WINDOW
from streams.partitioner import partition_of
from streams.store import AFFINITY, PANE, ROOM, SHELF, VISIT, Put, State

#: The label of each kind of key.
KINDS = {
    VISIT: "visits", PANE: "panes", AFFINITY: "affinity", SHELF: "shelves", ROOM: "rooms",
    WINDOW[0]: "rows",
}  # fmt: skip
#: So many values of a commit are weighed, and so many of a restored changelog.
PER_COMMIT, PER_RESTORE = 32, 2_000
#: A mean is over about so many values.
_MEMORY = 500
_FIRST_OF_TUPLE = 0x80
#: Of sessions: it is asked for the same few again and again.
_partition_of = lru_cache(maxsize=10_000)(partition_of)


class Sizes(Struct):
    """What was counted last, by kind; ``sessions`` are those that this task speaks for."""

    records: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS.values(), 0))
    timers: int = 0
    sessions: int = 0
    _means: dict[str, float] = field(default_factory=dict)
    _weighed: dict[str, int] = field(default_factory=dict)

    @property
    def bytes(self) -> float:
        """About how many bytes the values of all keys have in the changelog."""
        means = self._means
        return sum(count * means.get(kind, 0.0) for kind, count in self.records.items())

    def weigh(self, puts: Sequence[Put]) -> None:
        """Look at some of a commit's changelog records."""
        self._weigh(puts[:: max(1, len(puts) // PER_COMMIT)])

    def weigh_restored(self, puts: Iterable[Put]) -> None:
        """Look at some of a restored changelog's records."""
        self._weigh(islice(puts, PER_RESTORE))

    def _weigh(self, puts: Iterable[Put]) -> None:
        for key, value in puts:
            kind = KINDS.get(key[1] if key[0] > _FIRST_OF_TUPLE else key[0])
            if kind is not None and value is not None:
                seen = self._weighed[kind] = min(self._weighed.get(kind, 0) + 1, _MEMORY)
                mean = self._means.get(kind, 0.0)
                self._means[kind] = mean + (len(value) - mean) / seen

    def count(self, state: State) -> None:
        """Count what a task holds; not to be done at every commit."""
        every = list(state.sessions.values())
        table = state.conversion._sessions.values()  # noqa: SLF001 - it has no length of its own
        self.records = {
            "visits": sum(len(one.visits) for one in every),
            "panes": sum(len(one.panes) for one in every),
            "affinity": sum(len(one.affinity) for one in every),
            "shelves": sum(bool(one.shelf.recent) for one in every),
            "rooms": sum(bool(one.room.newest) for one in every),
            "rows": sum(len(one.windows) for one in table),
        }
        self.timers = len(state.timers)
        self.sessions = sum(
            one.shelf.announced
            and one.shelf.ended is None
            and _partition_of(one.id, state.partitions) == state.partition
            for one in every
        )
