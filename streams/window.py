"""A window of a session: the sums of its rows, and how far each of them is published."""

from collections.abc import Iterable

from msgspec import Struct, field

from schemas.results import Scope, Status
from streams.rates import LINE_SIZE, SESSION_WINDOW, Line, line
from streams.totals import SIZE, WINDOWS

SIZES = tuple(WINDOWS.values())

#: The longest window of a fixed size, in panes: all that lies in it is forgotten together.
BLOCK = max(SIZES)

#: A window of a session: its index in ``WINDOWS`` and its first pane.
Place = tuple[int, int]
#: The session's own window; its place names no pane, because a late one may come before it.
WHOLE: Place = (SESSION_WINDOW, 0)

#: Columns of a vector that changed, and by how much.
Difference = list[tuple[int, int]]
#: Where something changed. With an empty difference: only how many viewers are present.
Change = tuple[Scope, str, Difference]


def places(pane: int) -> list[Place]:
    """Return the windows that hold a pane, the shortest first."""
    return [(w, pane - pane % size if size else 0) for w, size in enumerate(SIZES)]


def _columns(window: int) -> list[int]:
    """Return, for each column of a vector, its column in the window's line, or -1."""
    columns = [-1] * SIZE
    for to, at in enumerate(line(list(range(SIZE)), window)):
        columns[at] = to
    return columns


_COLUMNS = [_columns(window) for window in range(len(WINDOWS))]


class Row(Struct, array_like=True):
    """One scope's sums in one window, and how far they are published."""

    sums: Line = field(default_factory=lambda: [0] * LINE_SIZE)
    revision: int = 0  # how often it was published
    final: bool = False  # it was published as final
    changed: bool = True  # since it was published

    def publish(self, *, closed: bool) -> Status:
        """Count a publication; returns what it is published as."""
        status: Status = "correction" if self.final else "final" if closed else "provisional"
        self.revision += 1
        self.final |= closed
        self.changed = False
        return status


class Window(Struct, array_like=True):
    """All rows of one window of a session."""

    closed: bool = False  # the watermark has passed its end + grace
    changed: bool = False  # some row has
    rows: dict[Scope, dict[str, Row]] = field(
        default_factory=lambda: {"session": {}, "channel": {}, "product": {}}
    )

    def add(self, changes: Iterable[Change], kind: int) -> None:
        """Add differences, as far as they matter to a window of this kind (its index)."""
        columns = _COLUMNS[kind]
        for scope, name, difference in changes:
            moves = [(to, by) for at, by in difference if (to := columns[at]) >= 0]
            if moves or not difference:
                row = self._row(scope, name)
                row.changed = self.changed = True
                for to, by in moves:
                    row.sums[to] += by

    def _row(self, scope: Scope, name: str) -> Row:
        rows = self.rows[scope]
        row = rows.get(name)
        if row is None:
            row = rows[name] = Row()
        return row

    def change_all(self) -> None:
        """Let every row be published again."""
        self.changed = True
        for rows in self.rows.values():
            for row in rows.values():
                row.changed = True

    def publish(self) -> list[tuple[Scope, str, Row, Status]]:
        """Return the changed rows by scope and id, with what they are published as."""
        self.changed = False
        return [
            (scope, name, row, row.publish(closed=self.closed))
            for scope, rows in self.rows.items()
            for name, row in sorted(rows.items())
            if row.changed
        ]
