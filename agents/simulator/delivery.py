"""The way from a viewer to the topic: some events come late, some twice, some broken."""

import math
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

import msgspec

from agents.recording import Record
from agents.simulator.bad import FAULTS, Origin
from agents.simulator.scenario import Fate, Scenario
from agents.simulator.stage import Dice, Told
from schemas.events import EVENT_TYPES, ViewerEvent

LATE_S = (3.0, 20.0)
COPY_S = (0.001, 5.0)
#: A record, what befell it, and its type or its kind of fault.
Parcel = tuple[Record, Fate, str]
#: The first fault of each kind comes so many times sooner than its share says.
HASTE = 10


class Delivery:
    """Turns events into records in order of arrival, each with what befell it.

    Faults befall viewers' events only: a host's session is announced in order.
    """

    def __init__(self, scenario: Scenario, *, dice: Dice, event_ids: Iterator[str]) -> None:
        self.sent = 0
        self._scenario = scenario
        self._dice = dice
        self._event_ids = event_ids
        self._encode = msgspec.json.Encoder().encode
        self._names = {kind: kind.__name__ for kind in EVENT_TYPES}
        self._viewer_events = 0
        self._faults = 0
        self._next_fault = _fault_due(1, scenario.bad_share)
        # What is still on its way: (arrival, turn, parcel).
        self._waiting: list[tuple[int, int, Parcel]] = []
        self._turns = count()

    def carry(self, told: list[Told]) -> list[Parcel]:
        """Return what arrives up to the moment at which ``told`` happened, in order."""
        arrived: list[Parcel] = []
        for event, key in told:
            if self._waiting and self._waiting[0][0] <= event.ts:
                self._let_arrive(event.ts, arrived)
            name = self._names[type(event)]
            stamp = max(event.ts, self._scenario.start_ms)
            record = Record(self._scenario.topics[name], key, self._encode(event), stamp)
            if not isinstance(event, ViewerEvent):
                arrived.append((record, "good", name))
                continue
            if not self._is_held_up(name, event.ts, record):
                arrived.append((record, "good", name))
            self._viewer_events += 1
            if self._viewer_events >= self._next_fault:
                arrived.append(self._break(event, key, stamp))
        self.sent += len(arrived)
        return arrived

    def _let_arrive(self, now_ms: int, arrived: list[Parcel]) -> None:
        while self._waiting and self._waiting[0][0] <= now_ms:
            arrived.append(heappop(self._waiting)[2])

    def _is_held_up(self, name: str, ts: int, record: Record) -> bool:
        """Let chance make the record late (then True), or send a copy after it."""
        roll = self._dice.random()
        late, copied = self._scenario.late_share, self._scenario.duplicate_share
        if roll < late:
            self._wait(ts + self._dice.between_ms(*LATE_S), record, "late", name)
        elif roll < late + copied:
            self._wait(ts + self._dice.between_ms(*COPY_S), record, "copy", name)
        return roll < late

    def _wait(self, until_ms: int, record: Record, fate: Fate, name: str) -> None:
        stamp = max(until_ms, self._scenario.start_ms)
        arrival = Record(record.topic, record.key, record.value, stamp)
        heappush(self._waiting, (until_ms, next(self._turns), (arrival, fate, name)))

    def _break(self, event: ViewerEvent, key: bytes, stamp: int) -> Parcel:
        """Make the next kind of broken record, as if from the viewer of ``event``."""
        fault = FAULTS[self._faults % len(FAULTS)]
        self._faults += 1
        self._next_fault = _fault_due(self._faults + 1, self._scenario.bad_share)
        origin = Origin(next(self._event_ids), stamp, event.session_id, event.viewer_id)
        topic = self._scenario.topics[fault.type_name]
        return Record(topic, key, fault.make(origin), stamp), "bad", fault.name


def _fault_due(number: int, share: float) -> float:
    """After how many events the fault of this number is due; never when the share is 0."""
    if not share:
        return math.inf
    return number / share / (HASTE if number <= len(FAULTS) else 1)
