"""What to simulate, as one frozen value, and the count of what was sent."""

import math
from typing import Literal

from msgspec import Struct, field

from schemas.events import TOPICS

#: What befalls a record on its way: nothing, a delay, being a second copy, being broken.
Fate = Literal["good", "late", "copy", "bad"]
#: What is special about a session: nothing, one product that runs out, a price for few minutes.
Character = Literal["calm", "stock_out", "flash_sale"]

#: A viewer who is present tells about this many events a second, heartbeats included.
EVENTS_PER_VIEWER_S = 0.2


def default_topics() -> dict[str, str]:
    """Return the topic of every type, by the type's name, as the contract has it."""
    return {kind.__name__: topic for topic, kinds in TOPICS.items() for kind in kinds}


class Scenario(Struct, frozen=True, kw_only=True):
    """Everything that decides a world: equal scenarios give byte-identical records.

    ``start_ms`` is the event time of the first event (after the warm-up). ``rate`` is the mean
    number of events per second of event time. The world stops after about ``events`` records
    or after ``duration_s``, whichever is first; with neither it never stops. Shares are
    fractions of the viewers' events. ``warm_up_s`` of history come first, with event times
    before the start, and all arrive at the start. ``unannounced_share`` of the sessions, and
    at least one when it is above zero, have no ``SessionStarted``. ``ends`` closes the
    sessions when the world stops. ``characters`` are given to the sessions in turn; with none,
    all are alike. Raises ``ValueError`` that names the field.
    """

    start_ms: int
    seed: int = 1
    events: int | None = None
    duration_s: float | None = None
    rate: float = 1_000.0
    sessions: int = 8
    viewers: int = 20_000
    products: int = 12
    late_share: float = 0.01
    duplicate_share: float = 0.005
    bad_share: float = 0.001
    unannounced_share: float = 0.0
    warm_up_s: float = 0.0
    ends: bool = False
    characters: tuple[Character, ...] = ()
    topics: dict[str, str] = field(default_factory=default_topics)

    def __post_init__(self) -> None:
        self._require_at_least(0, "start_ms", "warm_up_s")
        self._require_at_least(1, "sessions", "viewers", "products", "events")
        self._require_positive("rate", "duration_s")
        self._require_shares("late_share", "duplicate_share", "bad_share", "unannounced_share")
        if self.late_share + self.duplicate_share > 1:
            raise ValueError("late_share + duplicate_share: an event is at most one of them")
        if missing := sorted(default_topics().keys() - self.topics.keys()):
            raise ValueError(f"topics: name a topic for {', '.join(missing)}")
        if self.viewers < (needed := viewers_needed(self.rate)):
            raise ValueError(
                f"viewers: {self.viewers} people cannot tell {self.rate:g} events a second; "
                f"use at least {needed} viewers or a lower rate"
            )

    @property
    def opens_ms(self) -> int:
        """Event time at which the sessions open: the start, or the warm-up before it."""
        return self.start_ms - round(self.warm_up_s * 1_000)

    @property
    def closes_ms(self) -> float:
        """Event time at which the world stops; infinite when only ``events`` bounds it."""
        return math.inf if self.duration_s is None else self.start_ms + self.duration_s * 1_000

    def _require_at_least(self, least: int, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}: must be at least {least}, not {value}")

    def _require_positive(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name}: must be above 0 and finite, not {value}")

    def _require_shares(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: must be a fraction from 0 to 1, not {value}")


def viewers_needed(rate: float) -> int:
    """Return the smallest population that can tell ``rate`` events a second."""
    return math.ceil(1.5 * rate / EVENTS_PER_VIEWER_S)


class Tally(Struct):
    """What was sent: good events by type, and what was done to some of them.

    ``sent`` counts each good event once; ``late`` of those came 3 to 20 s after they happened;
    ``duplicates`` are further copies; ``bad`` counts the broken records by kind.
    """

    sent: dict[str, int] = field(default_factory=dict)
    late: int = 0
    duplicates: int = 0
    bad: dict[str, int] = field(default_factory=dict)

    def count(self, fate: Fate, name: str) -> None:
        """Count one record; ``name`` is its type, or its kind of fault when it is bad."""
        if fate == "bad":
            self.bad[name] = self.bad.get(name, 0) + 1
        elif fate == "copy":
            self.duplicates += 1
        else:
            self.sent[name] = self.sent.get(name, 0) + 1
            self.late += fate == "late"

    @property
    def records(self) -> int:
        """All records, good, doubled and broken."""
        return sum(self.sent.values()) + self.duplicates + sum(self.bad.values())

    def as_json(self) -> dict[str, object]:
        """Return what a command prints: the counters and their sum."""
        bad = {"bad_records": sum(self.bad.values()), "bad": self.bad}
        good = {"sent": self.sent, "late": self.late, "duplicates": self.duplicates}
        return {"records": self.records} | good | bad
