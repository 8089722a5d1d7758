"""One session's running totals, merged: what is new in a total flows into four windows.

A window is a plain sum. So when a total replaces the one before it, only the difference is
added, to the window of each size that holds the pane. Totals, and windows that are closed,
are kept packed, as the bytes of their changelog record.
"""

from collections.abc import Iterable, Mapping
from itertools import compress
from operator import ne
from typing import get_args

from msgspec import Raw, Struct, field, msgpack

from schemas.results import ConversionRow, Scope, Status
from schemas.results import Window as WindowName
from streams.policy import Policy
from streams.presence import Presence
from streams.rates import counts, money, people, rates
from streams.totals import PANE_MS, SIZE, PaneTotals, Vector, zeros
from streams.window import SIZES, WHOLE, Change, Difference, Place, Row, Window, moves

#: Whose total it is: a pane and a source partition.
At = tuple[int, int]

_NAMES: tuple[WindowName, ...] = get_args(WindowName)  # in the order of WINDOWS
_NO_TOTALS = PaneTotals()
_NO_VECTOR = zeros()
_COLUMNS = range(SIZE)


class About(Struct, array_like=True):
    """What is known of a session beside its sums. Times in ms, panes by number."""

    currency: str | None = None
    announced: bool = False
    ended: int | None = None
    first: int | None = None  # pane
    last: int = -1  # pane
    peak: int = 0  # most viewers present until something was forgotten
    told: int = 0  # the watermark when the host told of it
    behind: dict[int, int] = field(default_factory=dict)  # its clock, by task, ms


class _Ending(Struct, array_like=True):
    """The end of packed ``PaneTotals``, without unpacking the rest."""

    channels: Raw
    products: Raw
    present: int


class _Beginning(Struct, array_like=True):
    """The beginning of a packed ``Window``."""

    closed: bool
    changed: bool


_encode = msgpack.Encoder().encode
_ending = msgpack.Decoder(_Ending).decode
_beginning = msgpack.Decoder(_Beginning).decode
_totals = msgpack.Decoder(PaneTotals).decode
_window = msgpack.Decoder(Window).decode


class Session:
    """The totals of one session by pane and source partition, and the windows over them."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.about = About()
        self.panes: dict[int, dict[int, bytes]] = {}
        self.windows: dict[Place, Window | bytes] = {}
        self._presence = Presence()

    def replace(self, at: At, totals: PaneTotals) -> dict[int, list[Change]]:
        """Keep a total in place of the one before it; returns what this changes, by pane."""
        pane, partition = at
        packed = self.panes.get(pane, {}).get(partition)
        found = _changes(self.id, _totals(packed) if packed else None, totals)
        if not found:
            return {}
        self.panes.setdefault(pane, {})[partition] = _encode(totals)
        about = self.about
        about.first = pane if about.first is None else min(about.first, pane)
        about.last = max(about.last, pane)
        later = self._presence.tell(pane, partition, totals.present)
        return {pane: found} | {one: [("session", self.id, moves([]))] for one in later}

    def window(self, place: Place) -> Window | None:
        """Return a window, unpacked for good; None when nothing happened in it yet."""
        kept = self.windows.get(place)
        if isinstance(kept, bytes):
            kept = self.windows[place] = _window(kept)
        return kept

    def open_windows(self) -> list[Place]:
        """Return the windows that are still open; they are never packed."""
        return [
            place
            for place, kept in self.windows.items()
            if isinstance(kept, Window) and not kept.closed
        ]

    def pack(self, place: Place) -> None:
        """Let a window rest."""
        kept = self.windows[place]
        if isinstance(kept, Window):
            self.windows[place] = _encode(kept)

    def span(self, place: Place) -> tuple[int, int]:
        """Return the start and the end of a window, in ms."""
        window, first = place
        if place == WHOLE:
            about = self.about
            end = max((about.last + 1) * PANE_MS, about.ended or 0)
            return (about.first or 0) * PANE_MS, end
        return first * PANE_MS, (first + SIZES[window]) * PANE_MS

    def closes_at(self, place: Place, policy: Policy) -> int:
        """Return when a window closes, in ms; a session that never ends closes by silence."""
        ended = self.about.ended
        behind = max(self.about.behind.values(), default=0)
        if place == WHOLE and ended is not None:
            return ended + policy.grace_ms + behind
        wait = policy.past_limit_ms if place == WHOLE else policy.grace_ms
        return self.span(place)[1] + wait + behind

    def row(
        self, place: Place, scope: Scope, scope_id: str, row: Row, status: Status
    ) -> ConversionRow:
        """Return what is published of a row."""
        kind, sums, (start, end) = place[0], row.sums, self.span(place)
        present, peak = self._present(place) if scope == "session" else (None, None)
        return ConversionRow(
            session_id=self.id,
            scope=scope,
            scope_id=scope_id,
            window=_NAMES[kind],
            start=start,
            end=end,
            status=status,
            revision=row.revision,
            announced=self.about.announced,
            currency=self.about.currency,
            counts=counts(sums),
            people=people(sums, scope),
            money=money(sums),
            rates=rates(sums, scope, kind),
            present=present,
            peak_present=peak,
        )

    def _present(self, place: Place) -> tuple[int, int]:
        if place == WHOLE:
            return self._presence.now(), max(self._presence.peak(), self.about.peak)
        kind, first = place
        return self._presence.over(first, first + SIZES[kind])

    def forget(self, before: int) -> tuple[list[At], list[Place]]:
        """Drop panes before a given one and their windows; the session's window keeps the sums.

        Returns what was dropped: totals by pane and partition, and windows.
        """
        panes = [pane for pane in self.panes if pane < before]
        windows = [at for at in self.windows if at != WHOLE and at[1] < before]
        totals = [(pane, partition) for pane in panes for partition in self.panes.pop(pane)]
        self.about.peak = max(self.about.peak, self._presence.forget(before))
        for place in windows:
            del self.windows[place]
        return totals, windows

    def last_sign(self) -> int:
        """Return the newest time, in ms, that anything was heard of the session; 0 for never."""
        about = self.about
        return max(about.told, about.ended or 0, (about.last + 1) * PANE_MS)

    def restore_total(self, at: At, packed: bytes) -> None:
        """Put the total of a pane and partition back; it stays packed."""
        pane, partition = at
        self.panes.setdefault(pane, {})[partition] = packed
        self._presence.tell(pane, partition, _ending(packed).present)

    def restore_window(self, place: Place, packed: bytes) -> None:
        """Put a window back; it stays packed if it rests."""
        known = _beginning(packed)
        rests = known.closed and not known.changed
        self.windows[place] = packed if rests else _window(packed)


def _changes(session_id: str, before: PaneTotals | None, now: PaneTotals) -> list[Change]:
    old = before or _NO_TOTALS
    channels = _differences(old.channels, now.channels)
    products = _differences(old.products, now.products)
    found: list[Change] = [("channel", name, moves(one)) for name, one in channels.items()]
    found += [("product", name, moves(one)) for name, one in products.items()]
    whole = _sum(channels.values())
    if whole or before is None or old.present != now.present:
        found.append(("session", session_id, moves(whole)))
    return found


def _differences(before: Mapping[str, Vector], now: Mapping[str, Vector]) -> dict[str, Difference]:
    found = {}
    for name in {**before, **now}:
        old, new = before.get(name, _NO_VECTOR), now.get(name, _NO_VECTOR)
        if old != new:
            columns = compress(_COLUMNS, map(ne, old, new))
            found[name] = [(i, new[i] - old[i]) for i in columns]
    return found


def _sum(differences: Iterable[Difference]) -> Difference:
    total: dict[int, int] = {}
    for difference in differences:
        for column, by in difference:
            total[column] = total.get(column, 0) + by
    return [(column, by) for column, by in total.items() if by]
