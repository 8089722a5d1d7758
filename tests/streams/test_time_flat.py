"""A thousand short sessions one after another: memory returns, and so does the changelog."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from schemas import events as ev
from streams.store import State
from tests.streams.world import SHOP, World, event, order

SESSIONS = 1_000
EVERY_S = 3_600
A_DAY = 24 * 3_600 // EVERY_S
#: All is kept for a day and a little more; then nothing may grow.
FULL = 2 * A_DAY


def broadcast(world: World, number: int) -> None:
    """Let a session of two minutes happen: viewers, clicks, carts, an order, a coupon."""
    begin, room = number * EVERY_S, {"session_id": f"s{number}"}
    told = [
        event(ev.SessionStarted, begin, currency="CNY", **room),
        event(
            ev.ProductListed, begin, product_id="p1", price=1_000, stock=9, currency="CNY", **room
        ),
    ]
    for nth in range(2):
        who, second = room | {"viewer_id": f"v{nth}-{number}"}, begin + 10 * nth
        told += [
            event(ev.ViewerEntered, second + 1, channel="feed", **who),
            event(ev.ProductClicked, second + 2, product_id="p1", **who),
            event(ev.CartAdded, second + 3, product_id="p1", **SHOP, **who),
        ]
    told += [
        order(ev.OrderPlaced, begin + 50, order_id=f"o{number}", **who),
        order(ev.OrderPaid, begin + 60, order_id=f"o{number}", **who),
        event(ev.SessionEnded, begin + 120, **room),
    ]
    world.feed(*told)


class Size:
    """How much is reachable from an object: things in containers, by the class that holds them."""

    def __init__(self, root: object) -> None:
        self.things: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._count(root, type(root).__name__)

    def _count(self, one: Any, whose: str) -> None:
        if id(one) in self._seen or isinstance(one, (int, str, float, type(None), type)):
            return
        self._seen.add(id(one))
        if isinstance(one, (bytes, bytearray)):
            self.things["bytes"] += len(one)
            return
        inside = list(parts(one))
        if isinstance(one, (dict, list, set, tuple, frozenset)):
            self.things[whose] += len(one)
        for name, part in inside:
            self._count(part, f"{type(one).__name__}.{name}" if name else whose)


def parts(one: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, with the attribute's name where there is one."""
    if isinstance(one, dict):
        yield from (("", part) for pair in one.items() for part in pair)
    elif isinstance(one, (list, set, tuple, frozenset)):
        yield from (("", part) for part in one)
    elif isinstance(one, Struct):
        yield from ((name, getattr(one, name)) for name in one.__struct_fields__)
    else:
        slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [*getattr(one, "__dict__", {}), *slots]
        yield from ((name, getattr(one, name)) for name in names if hasattr(one, name))


def test_a_thousand_sessions_leave_the_state_flat() -> None:
    """After the first day neither the state nor its changelog grows by anything at all."""
    world, live, sizes, keys = World(), dict[bytes, int](), [], []
    for number in range(SESSIONS):
        broadcast(world, number)
        for key, value in world.state.puts({}):
            live.pop(key, None)
            if value is not None:
                live[key] = len(value)
        keys.append(len(live))
        if number % FULL == FULL - 1:  # at the same time of every other day
            sizes.append(Size(world.state).things)
    assert len(sizes) == SESSIONS // FULL
    assert sum(sizes[-1].values()) > SESSIONS  # it was looked at
    days = sizes[1:]
    for name in sizes[-1]:
        assert max(d[name] for d in days) <= 1.02 * min(d[name] for d in days) + 8, (name, sizes)
    assert max(keys[2 * FULL :]) <= max(keys[FULL : 2 * FULL])


def test_what_the_changelog_holds_is_what_is_restored() -> None:
    """After a hundred sessions a new owner has as much as the old one, and no more."""
    world, live = World(), dict[bytes, bytes]()
    for number in range(100):
        broadcast(world, number * 3)
        for key, value in world.state.puts({}):
            live.pop(key, None)
            if value is not None:
                live[key] = value
    restored = State(0, 1, world.policy)
    restored.restore(live)
    assert restored.sessions.keys() == world.state.sessions.keys()
    for session_id, session in restored.sessions.items():
        assert len(session.visits) == len(world.state.sessions[session_id].visits)
        assert session.panes.keys() == world.state.sessions[session_id].panes.keys()
    assert len(restored.timers) <= len(world.state.timers)
