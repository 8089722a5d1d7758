"""What the engine has made of it: its changelog and its totals, read with ``read_committed``."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from schemas import events as ev
from streams.state import Visit
from streams.store import PANE, VISIT
from streams.totals import COUNT_OF, ORDERED_AMOUNT, PaneTotals, Vector, WindowTotal
from tests.chaos.oracle import Key, Mark
from tests.integration.cluster import Said

_key = msgspec.msgpack.Decoder(tuple[int, str, str | int])
_visit = msgspec.msgpack.Decoder(Visit)
_pane = msgspec.msgpack.Decoder(PaneTotals)
_total = msgspec.msgpack.Decoder(WindowTotal)

#: What is counted of a viewer in a pane, and where it stands in the engine's vectors.
COLUMNS = {
    kind.__name__: COUNT_OF[kind]
    for kind in (
        ev.LikesSent, ev.CommentPosted, ev.ProductClicked, ev.OrderPlaced, ev.ViewerEntered,
    )
} | {"ordered_amount": ORDERED_AMOUNT}  # fmt: skip


class Book:
    """The state as its records tell it: visits, and totals by viewer and pane."""

    def __init__(self) -> None:
        self.visits: dict[Key, Visit] = {}
        # Session and pane, then the source: a partition.
        self._panes: defaultdict[tuple[str, int], dict[str, PaneTotals]] = defaultdict(dict)

    def read(self, records: Iterable[Said]) -> None:
        """Take over changelog records, in their order; what cannot be read is none of ours."""
        for record in records:
            with suppress(msgspec.MsgspecError):
                self.put(str(record.partition), record.key or b"", record.value)

    def put(self, source: str, key: bytes, value: bytes | None) -> None:
        """Take over the newest value of a key of the state; None: gone."""
        if key[0] < 0x80:
            return  # of the conversion table, which is read from its rows
        kind, session_id, name = _key.decode(key)
        if kind == VISIT:
            self._put_visit((session_id, str(name)), value)
        elif kind == PANE:
            sources = self._panes[session_id, int(name)]
            if value is None:
                sources.pop(source, None)
            else:
                sources[source] = _pane.decode(value)

    def _put_visit(self, key: Key, value: bytes | None) -> None:
        if value is None:
            self.visits.pop(key, None)
        else:
            self.visits[key] = _visit.decode(value)

    def put_total(self, value: bytes) -> None:
        """Take over a running total."""
        try:
            total = _total.decode(value)
        except msgspec.ValidationError:
            return  # a watermark
        self._panes[total.session_id, total.pane][str(total.partition)] = total.totals

    def times(self, mark: Mark) -> int:
        """Say how often the event of a mark was applied; a like, up to three times."""
        if mark.kind == "LikesSent":
            row = self.row(mark.key, mark.pane)
            return row[COLUMNS["LikesSent"]] >> 2 * int(mark.name) & 3 if row else 0
        visit = self.visits.get(mark.key)
        if visit is None:
            return 0
        if mark.kind == "OrderPlaced":
            order = (visit.orders or {}).get(str(mark.name))
            return int(order is not None and order.placed)
        interest = (visit.interests or {}).get(str(mark.name))
        return interest.clicks if interest else 0

    def row(self, key: Key, pane: int) -> Vector | None:
        """Return what a viewer did in a pane: each viewer came through a channel of their own."""
        for totals in self._panes.get((key[0], pane), {}).values():
            if key[1] in totals.channels:
                return totals.channels[key[1]]
        return None

    def counts(self) -> dict[tuple[Key, int], Counter[str]]:
        """Return what every viewer did in every pane, as far as it is counted."""
        found: defaultdict[tuple[Key, int], Counter[str]] = defaultdict(Counter)
        for (session_id, pane), _, totals in self._every_pane():
            for viewer_id, row in totals.channels.items():
                counts = {name: row[column] for name, column in COLUMNS.items() if row[column]}
                if counts:
                    found[(session_id, viewer_id), pane].update(counts)
        return dict(found)

    def canonical(self) -> Iterator[tuple[str, Any]]:
        """Yield everything in a form that two books can be compared by.

        When a timer is due is left out: it may be moved without telling the changelog.
        """
        for (session_id, viewer_id), visit in self.visits.items():
            yield f"visit {session_id} {viewer_id}", msgspec.structs.replace(visit, due=0)
        for (session_id, pane), source, totals in self._every_pane():
            if totals.channels or totals.products:
                yield f"pane {source} {session_id} {pane}", totals

    def _every_pane(self) -> Iterator[tuple[tuple[str, int], str, PaneTotals]]:
        for at, sources in self._panes.items():
            for source, totals in sources.items():
                yield at, source, totals


def book_of(records: Iterable[Said]) -> Book:
    """Return what a changelog tells."""
    book = Book()
    book.read(records)
    return book


def totals_of(records: Iterable[Said]) -> Book:
    """Return what the newest running totals tell."""
    newest = {(record.partition, record.key): record.value for record in records}
    book = Book()
    for value in newest.values():
        book.put_total(value or b"")
    return book
