"""Engines that are broken on purpose: a checker that does not catch them proves nothing."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import structs

from agents.engine import transaction
from agents.engine.transaction import Out, Transactions
from streams import publish
from streams.conversion import Conversion
from streams.session import Session
from streams.store import State
from streams.totals import PaneTotals, Vector, WindowTotal, zeros
from tests.chaos import failpoints

_unpack = msgspec.msgpack.Decoder(PaneTotals).decode


def _offsets_first() -> None:
    """Commit the input offsets, and then, in a transaction of its own, what came of them."""
    commit = Transactions.commit

    async def broken(self: Transactions, records: Iterable[Out], *rest: Any) -> int:
        results = list(records)
        await commit(self, [], *rest)
        await failpoints.between(results)
        return await commit(self, results, *rest)

    Transactions.commit = broken  # type: ignore[method-assign, assignment]


def _no_fencing() -> None:
    """Take a new transactional id at each start, so that nobody is ever fenced."""

    def stranger(**options: Any) -> Any:
        unique = f"{options['transactional_id']}-{uuid.uuid4().hex}"
        return producer(**options | {"transactional_id": unique})

    producer = transaction.AIOKafkaProducer  # type: ignore[attr-defined]
    transaction.AIOKafkaProducer = stranger  # type: ignore[attr-defined]


def _deltas() -> None:
    """Publish what was added since the last time, and let the merge add it up."""
    told: dict[tuple[str, int], PaneTotals] = {}
    replace = Conversion.apply

    running = publish._totals

    def deltas(state: State, sessions: Iterable[Session]) -> Iterator[WindowTotal]:
        for total in running(state, sessions):
            at = (total.session_id, total.pane)
            delta = _combined(total.totals, told.get(at), -1)
            told[at] = _combined(total.totals, None, 1)
            yield structs.replace(total, totals=delta)

    def add_up(self: Conversion, total: WindowTotal) -> None:
        kept = self._session(total.session_id).panes.get(total.pane, {}).get(total.partition)
        before = _unpack(kept) if kept else None
        replace(self, structs.replace(total, totals=_combined(total.totals, before, 1)))

    publish._totals = deltas
    Conversion.apply = add_up  # type: ignore[method-assign]


def _combined(totals: PaneTotals, other: PaneTotals | None, sign: int) -> PaneTotals:
    """Return a copy with ``sign`` times the other's vectors added."""
    other = other or PaneTotals()
    return PaneTotals(
        channels=_vectors(totals.channels, other.channels, sign),
        products=_vectors(totals.products, other.products, sign),
        present=totals.present,
    )


def _vectors(vectors: dict[str, Vector], others: dict[str, Vector], sign: int) -> dict[str, Vector]:
    return {
        name: [
            one + sign * other
            for one, other in zip(
                vectors.get(name, zeros()), others.get(name, zeros()), strict=True
            )
        ]
        for name in {**vectors, **others}
    }


#: Name: what breaks the engine in this process.
MUTANTS: dict[str, Callable[[], None]] = {
    "offsets-first": _offsets_first,
    "no-fencing": _no_fencing,
    "deltas": _deltas,
}
