"""A window of a session: the sums of its rows, and how far each of them is published."""

from collections.abc import Iterable

from msgspec import Struct, field

from schemas.results import Scope, Status
from streams.names import own
from streams.rates import LINE_SIZE, SESSION_WINDOW, Line
from streams.totals import PEOPLE, WINDOWS

SIZES = tuple(WINDOWS.values())

#: The longest window of a fixed size, in panes: all that lies in it is forgotten together.
BLOCK = max(SIZES)

#: A window of a session: its index in ``WINDOWS`` and its first pane.
Place = tuple[int, int]
#: The session's own window; its place names no pane, because a late one may come before it.
WHOLE: Place = (SESSION_WINDOW, 0)

Scopes = tuple[Scope, ...]
#: What is published of a window: all rows that changed, or only what the session is told by.
DETAILED: Scopes = ("session", "channel", "product")
BRIEF: Scopes = ("session",)

#: Columns that changed, and by how much.
Difference = list[tuple[int, int]]
#: Where something changed, and how that moves the line of each kind of window.
Change = tuple[Scope, str, list[Difference]]


def places(pane: int) -> list[Place]:
    """Return the windows that hold a pane, the shortest first."""
    return [(w, pane - pane % size if size else 0) for w, size in enumerate(SIZES)]


def moves(difference: Difference) -> list[Difference]:
    """Return how the difference of two vectors moves the line of each kind of window."""
    common: Difference = []
    people: list[Difference] = [[] for _ in SIZES]
    for column, by in difference:
        if column < PEOPLE:
            common.append((column, by))
        else:
            step, kind = divmod(column - PEOPLE, len(SIZES))
            people[kind].append((PEOPLE + step, by))
    return [common + own for own in people]


class Row(Struct, array_like=True):
    """One scope's sums in one window, and how far they are published."""

    sums: Line = field(default_factory=lambda: [0] * LINE_SIZE)
    revision: int = 0  # how often it was published
    final: bool = False  # it was published as final
    changed: bool = True  # since it was published

    @property
    def status(self) -> Status:
        """As what it stands published; a correction is final, too."""
        return "final" if self.final else "provisional"

    def publish(self, *, closed: bool) -> Status:
        """Count a publication; returns what it is published as."""
        status: Status = "correction" if self.final else "final" if closed else "provisional"
        self.revision += 1
        self.final = self.final or closed
        self.changed = False
        return status


class Window(Struct, array_like=True):
    """All rows of one window of a session."""

    closed: bool = False  # the watermark has passed its end + grace
    changed: bool = False  # some row has
    rows: dict[Scope, dict[str, Row]] = field(
        default_factory=lambda: {scope: {} for scope in DETAILED}
    )

    def add(self, changes: Iterable[Change], kind: int) -> None:
        """Add what changed to the rows of a window of this kind (its index)."""
        for scope, name, lines in changes:
            difference = lines[kind]
            if difference or scope == "session":  # whose row also says who is present
                row = self._row(scope, name)
                row.changed = self.changed = True
                sums = row.sums
                for column, by in difference:
                    sums[column] += by

    def _row(self, scope: Scope, name: str) -> Row:
        rows = self.rows[scope]
        row = rows.get(name)
        if row is None:
            row = rows.setdefault(own(rows, name), Row())
        return row

    @property
    def is_fresh(self) -> bool:
        """Whether it is open, and what it tells of the session has changed."""
        return not self.closed and any(row.changed for row in self.rows["session"].values())

    def change_all(self) -> None:
        """Let every row be published again."""
        self.changed = True
        for rows in self.rows.values():
            for row in rows.values():
                row.changed = True

    def published(self) -> list[tuple[Scope, str, Row]]:
        """Return the rows that were published before."""
        return [
            (scope, name, row)
            for scope, rows in self.rows.items()
            for name, row in sorted(rows.items())
            if row.revision
        ]

    def publish(self, scopes: Scopes) -> list[tuple[Scope, str, Row, Status]]:
        """Return the changed rows by scope and id, with what they are published as."""
        self.changed = scopes != DETAILED
        return [
            (scope, name, row, row.publish(closed=self.closed))
            for scope in scopes
            for name, row in sorted(self.rows[scope].items())
            if row.changed
        ]
