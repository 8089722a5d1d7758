"""What the demo's viewers do with what they are sent: see it, take it, wave it away, buy.

The simulator tells its world without hearing an answer; this hears the triggers and answers.
Chance is the trigger's own id, so a trigger always has the same fate.
"""

import time
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import NamedTuple
from zlib import crc32

import msgspec
from confluent_kafka import Producer

from agents.settings import Settings
from agents.simulator.scenario import Tally
from agents.simulator.sending import PRODUCER_DEFAULTS
from schemas import events as ev
from schemas.results import CouponTrigger, RecommendationTrigger

AnyTrigger = CouponTrigger | RecommendationTrigger

#: Fates in per mille: never shown; of the others declined, taken, taken and used for an order.
_FAILS, _DECLINES, _TAKES, _BUYS = 30, 180, 380, 480
_SHOWN_S, _DECIDED_S, _ORDERED_S, _PAID_S = 0.4, 3.0, 6.0, 10.0
_WAIT_S = 0.1
_FLUSH_S = 10.0
_JOIN_S = 15.0

_encode = msgspec.json.Encoder().encode


class _Due(NamedTuple):
    """An event to be told at a time, and the order of those of the same time."""

    at_s: float
    number: int
    event: ev.ViewerEvent


class Reactions:
    """Tells outcomes of triggers, and orders that came of them; ``tally`` counts what was sent.

    ``prices`` gives what a product costs now, in minor units.
    """

    def __init__(self, settings: Settings, prices: dict[str, int]) -> None:
        self.tally = Tally()
        self._settings = settings
        self._prices = prices
        self._heard: SimpleQueue[AnyTrigger] = SimpleQueue()
        self._due: list[_Due] = []
        self._numbers = count()
        self._stop = Flag()
        self._thread = Thread(target=self._run, name="reactions", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and return when the broker has all answers."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def hear(self, trigger: AnyTrigger) -> None:
        """Take a trigger over; never waits."""
        self._heard.put(trigger)

    def _run(self) -> None:
        producer = Producer(PRODUCER_DEFAULTS | self._settings.confluent_config())
        while not self._stop.is_set():
            self._plan_next()
            while self._due and self._due[0].at_s <= time.monotonic():
                self._tell(producer, heappop(self._due).event)
            producer.poll(0)
        producer.flush(_FLUSH_S)

    def _plan_next(self) -> None:
        try:
            trigger = self._heard.get(timeout=_WAIT_S)
        except Empty:
            return
        now_s = time.monotonic()
        for wait_s, event in reactions(trigger, self._prices, _now_ms()):
            heappush(self._due, _Due(now_s + wait_s, next(self._numbers), event))

    def _tell(self, producer: Producer, event: ev.ViewerEvent) -> None:
        name = type(event).__name__
        producer.produce(self._settings.topic_of(name), _encode(event), event.viewer_id.encode())
        self.tally.count("good", name)


def reactions(
    trigger: AnyTrigger, prices: dict[str, int], now_ms: int
) -> Iterator[tuple[float, ev.ViewerEvent]]:
    """Yield what becomes of a trigger that is sent now, each with the seconds until then."""
    fate = crc32(trigger.trigger_id.encode()) % 1_000
    if fate < _FAILS:
        yield _SHOWN_S, _outcome(ev.TriggerFailed, trigger, now_ms, _SHOWN_S)
        return
    yield _SHOWN_S, _outcome(ev.TriggerShown, trigger, now_ms, _SHOWN_S)
    if fate < _DECLINES:
        yield _DECIDED_S, _outcome(ev.TriggerDeclined, trigger, now_ms, _DECIDED_S)
    elif fate < _BUYS:
        yield _DECIDED_S, _outcome(ev.TriggerAccepted, trigger, now_ms, _DECIDED_S)
        if fate >= _TAKES and isinstance(trigger, CouponTrigger):
            yield from _orders(trigger, prices, now_ms)


def _outcome(
    kind: type[ev.TriggerEvent], trigger: AnyTrigger, now_ms: int, wait_s: float
) -> ev.TriggerEvent:
    return kind(
        id=f"{kind.__name__}-{trigger.trigger_id}",
        ts=now_ms + int(wait_s * 1_000),
        session_id=trigger.session_id,
        viewer_id=trigger.viewer_id,
        trigger_id=trigger.trigger_id,
    )


def _orders(
    trigger: CouponTrigger, prices: dict[str, int], now_ms: int
) -> Iterator[tuple[float, ev.ViewerEvent]]:
    product = next((one for one in trigger.products if one in prices), None)
    if product is None:
        return
    price = prices[product]
    for kind, wait_s in ((ev.OrderPlaced, _ORDERED_S), (ev.OrderPaid, _PAID_S)):
        yield (
            wait_s,
            kind(
                id=f"{kind.__name__}-{trigger.trigger_id}",
                ts=now_ms + int(wait_s * 1_000),
                session_id=trigger.session_id,
                viewer_id=trigger.viewer_id,
                order_id=f"o-{trigger.trigger_id}",
                lines=(ev.Line(product, 1, price),),
                amount=max(price - trigger.discount, 0),
                currency=trigger.currency,
                trigger_id=trigger.trigger_id,
            ),
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
