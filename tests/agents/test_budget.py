"""The shared budget against a real Redis 6.2, with the in-memory ledger as the oracle."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Self

import pytest
import redis.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.engine import budget as budget_module
from agents.engine.budget import RedisBudget
from agents.redis_client import connect
from agents.views.keys import Keys
from streams.budget import PROMISED, Answer, Ledger, Release, Reservation
from tests.redis_server import RedisServer, running

KEYS = Keys("test")
_rooms = count()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Start one server for the tests that leave it alone."""
    with running() as started:
        yield started


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """Start a server for one test, which may kill or halt it."""
    with running() as started:
        yield started


@pytest.fixture
def room() -> str:
    """Name a session that no other test uses."""
    return f"room-{next(_rooms)}"


class Budget:
    """A RedisBudget with a client of its own, and a look into Redis."""

    def __init__(self, server: RedisServer, *, timeout_s: float = 5.0) -> None:
        self.server = server
        self.client: redis.asyncio.Redis = connect(server.settings)
        self.shared = RedisBudget(self.client, KEYS, timeout_s=timeout_s, pause_s=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    def spent(self, room: str, offer: str = "offer") -> int:
        """Read the promises from Redis itself."""
        with self.server.client() as look:
            found = look.hget(KEYS.budget(room), offer)
        return int(found or 0)


@pytest.fixture
async def budget(server: RedisServer) -> AsyncIterator[Budget]:
    """Connect to the common server."""
    async with Budget(server) as made:
        yield made


def ask(room: str, trigger_id: str = "t1", amount: int = 40, budget: int = 100) -> Reservation:
    """Ask for a coupon of the one offer."""
    return Reservation(room, "offer", trigger_id, amount, budget, expires_at=0)


Step = tuple[bool, int, int, int]  # reserve or release, trigger, offer, amount
STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 7), st.integers(0, 1), st.integers(0, 60)), max_size=40
)


def request(room: str, step: Step) -> Reservation | Release:
    """Turn a generated step into a request."""
    reserve, trigger, offer, amount = step
    if reserve:
        return Reservation(room, f"o{offer}", f"t{trigger}", amount, 100, expires_at=0)
    return Release(room, f"o{offer}", f"t{trigger}")


async def both(
    budget: Budget, ledger: Ledger, wanted: Reservation | Release
) -> tuple[list[Answer], list[Answer]]:
    """Ask Redis and the ledger the same."""
    if isinstance(wanted, Reservation):
        return await budget.shared.reserve([wanted]), [ledger.reserve(wanted)]
    await budget.shared.release([wanted])
    ledger.release(wanted)
    return [], []


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_the_script_answers_as_the_ledger_does(server: RedisServer, steps: list[Step]) -> None:
    """Any interleaving with repeats: same answers, same sums, never above the budget."""

    async def example() -> None:
        room, ledger = f"room-{next(_rooms)}", Ledger()
        async with Budget(server) as budget:
            for step in steps:
                ours, oracle = await both(budget, ledger, request(room, step))
                assert ours == oracle
            for offer in ("o0", "o1"):
                assert budget.spent(room, offer) == ledger.spent(room, offer) <= 100

    asyncio.run(example())


async def test_a_list_is_answered_in_order(budget: Budget, room: str) -> None:
    """One pipeline, one answer per reservation, in the order asked."""
    answers = await budget.shared.reserve([ask(room, f"t{n}") for n in range(4)])
    assert answers == ["granted", "granted", "exhausted", "exhausted"]


async def test_eighty_at_once_never_overspend(budget: Budget, room: str) -> None:
    """Eighty parallel calls for 40 out of 1,000: exactly 25 are granted."""
    asked = (budget.shared.reserve([ask(room, f"t{n}", 40, 1_000)]) for n in range(80))
    answers = [answer for [answer] in await asyncio.gather(*asked)]
    assert (answers.count("granted"), answers.count("exhausted")) == (25, 55)
    assert budget.spent(room) == 1_000


async def test_large_money_is_exact(budget: Budget, room: str) -> None:
    """At 2^53 minor units, one more is still seen as too much."""
    most = 1 << 53
    assert await budget.shared.reserve([ask(room, "t1", most, most)]) == ["granted"]
    assert await budget.shared.reserve([ask(room, "t2", 1, most)]) == ["exhausted"]
    assert budget.spent(room) == most


async def test_answers_outlive_a_day_and_the_coupon(budget: Budget, room: str) -> None:
    """An answer lives 26 h, or 26 h after its coupon's end; the budget lives longer."""
    day_ms = 24 * 3_600_000
    with budget.server.client() as look:
        now_ms = look.time()[0] * 1_000
        lasting = Reservation(room, "offer", "t2", 1, 100, expires_at=now_ms + 3 * day_ms)
        await budget.shared.reserve([ask(room), lasting])
        short, long = (look.pttl(KEYS.answer(room, t)) for t in ("t1", "t2"))
        assert day_ms < short < 2 * day_ms < 4 * day_ms < long
        assert look.pttl(KEYS.budget(room)) > long


async def test_a_flushed_script_cache_is_filled_again(budget: Budget, room: str) -> None:
    """NOSCRIPT loads the script and asks again; nobody notices."""
    await budget.shared.reserve([ask(room, "t1")])
    await budget.client.script_flush()
    assert await budget.shared.reserve([ask(room, "t2")]) == ["granted"]
    assert budget.shared.failures == 0


async def test_a_reservation_that_timed_out_is_spent_once(mortal: RedisServer) -> None:
    """Redis halts, the client gives up, Redis runs the script; asking again costs nothing."""
    async with Budget(mortal) as patient, Budget(mortal, timeout_s=0.2) as hasty:
        await hasty.shared.reserve([ask("room", "t0", 0)])  # connects, loads the script
        mortal.freeze()
        assert await hasty.shared.reserve([ask("room")]) == ["unavailable"]
        mortal.thaw()
        assert await patient.shared.reserve([ask("room", "t2")]) == ["granted"]
        assert patient.spent("room") == 80, "the reservation was made all the same"
        assert await hasty.shared.reserve([ask("room")]) == ["granted"]
        assert patient.spent("room") == 80


async def test_a_late_answer_is_not_taken_for_the_next_one(mortal: RedisServer) -> None:
    """After a timeout the connection is not used again with its old reply still coming."""
    async with Budget(mortal, timeout_s=0.2) as hasty:
        await hasty.shared.reserve([ask("room", "all", 100)])
        mortal.freeze()
        assert await hasty.shared.reserve([ask("room", "all", 100)]) == ["unavailable"]
        mortal.thaw()
        assert await hasty.shared.reserve([ask("room", "t2")]) == ["exhausted"]


async def test_an_outage_is_unavailable_and_logged_once(
    mortal: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Every answer of an outage is "unavailable", never an exception; one line tells of it."""
    caplog.set_level(logging.INFO, "agents.engine.budget")
    async with Budget(mortal) as budget:
        await budget.shared.reserve([ask("room")])
        mortal.kill()
        for _ in range(3):
            assert await budget.shared.reserve([ask("room"), ask("room", "t2")]) == [
                "unavailable",
                "unavailable",
            ]
        mortal.start()
        assert await budget.shared.reserve([ask("room", "t3")]) == ["granted"]
        assert budget.shared.failures == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_an_error_reply_is_unavailable(budget: Budget, room: str) -> None:
    """A key of another type is an answer to that one reservation, not a crash of the rest."""
    await budget.client.set(KEYS.budget(room), "not a hash")
    answers = await budget.shared.reserve([ask(room), ask(f"{room}-beside")])
    assert answers == ["unavailable", "granted"]
    assert budget.shared.failures == 1


async def test_a_full_redis_is_unavailable_and_counted(mortal: RedisServer) -> None:
    """It answers, so only the failures tell that coupons pause."""
    async with Budget(mortal) as budget:
        await budget.client.config_set("maxmemory", 1)
        assert await budget.shared.reserve([ask("room")]) == ["unavailable"]
        assert (budget.shared.failures, budget.shared._meter.is_up) == (1, True)


async def test_a_release_during_an_outage_is_made_up_for(mortal: RedisServer) -> None:
    """What could not be given back goes out before the next reservation."""
    async with Budget(mortal) as budget:
        await budget.shared.reserve([ask("room", amount=100)])
        mortal.freeze()
        budget.shared._timeout_s = 0.1
        await budget.shared.release([Release("room", "offer", "t1")])
        mortal.thaw()
        budget.shared._timeout_s = 5.0
        assert await budget.shared.reserve([ask("room", "t2", 100)]) == ["granted"]


async def test_many_releases_after_an_outage_fit_into_the_time_limit(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog goes out in parts, beside the reservations, until nothing is owed."""
    monkeypatch.setattr(budget_module, "MAX_OWED", 10_000)
    async with Budget(mortal) as budget:
        mortal.kill()
        await budget.shared.release([Release("room", "offer", f"t{n}") for n in range(12_000)])
        mortal.start()
        assert await budget.shared.reserve([ask("room", "new")]) == ["granted"]
        for _ in range(9):
            await budget.shared.release([])
        assert await budget.shared.reserve([ask("room", "t1999"), ask("room", "t2000")]) == [
            "granted",  # one of the oldest 2,000, which were too many to keep
            "exhausted",  # released before it was reserved
        ]


async def test_a_budget_that_was_lost_is_told_what_was_promised(mortal: RedisServer) -> None:
    """What coupons hold counts again, before anything new is granted."""
    async with Budget(mortal) as budget:
        assert await budget.shared.reserve([ask("room"), ask("room", "t2")]) == ["granted"] * 2
        with mortal.client() as look:
            look.flushall()
        budget.shared.remind([ask("room", budget=PROMISED), ask("room", "t2", budget=PROMISED)])
        assert await budget.shared.reserve([ask("room", "t3")]) == ["exhausted"]
        assert budget.spent("room") == 80


async def test_a_budget_that_was_not_lost_is_told_nothing_new(budget: Budget, room: str) -> None:
    """A promise is counted once, and not at all when its money was given back."""
    await budget.shared.reserve([ask(room), ask(room, "t2")])
    await budget.shared.release([Release(room, "offer", "t2")])
    budget.shared.remind([ask(room, budget=PROMISED), ask(room, "t2", budget=PROMISED)])
    await budget.shared.release([])
    assert budget.spent(room) == 40


async def test_a_promise_given_back_before_it_is_told_holds_nothing(mortal: RedisServer) -> None:
    """Whether the money was given back before or after Redis was found empty."""
    async with Budget(mortal) as budget:
        budget.shared.remind([ask("room", "later", budget=PROMISED)])
        await budget.shared.release([Release("room", "offer", t) for t in ("later", "before")])
        budget.shared.remind([ask("room", "before", budget=PROMISED)])
        await budget.shared.release([])
        assert budget.spent("room") == 0


async def test_after_a_failure_redis_is_left_alone_for_a_moment(mortal: RedisServer) -> None:
    """During the pause the answer comes at once: an outage must not slow the stream."""
    client = connect(mortal.settings)
    shared = RedisBudget(client, KEYS, pause_s=60)
    mortal.kill()
    assert await shared.reserve([ask("room")]) == ["unavailable"]
    mortal.start()
    assert await shared.reserve([ask("room")]) == ["unavailable"]
    assert shared.failures == 1
    await client.aclose()
