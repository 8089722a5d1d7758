"""The demo from start to end: start everything, watch, let it settle, count."""

import time
from collections.abc import Callable
from typing import Any

import redis
from msgspec import Struct

from agents.demo import scrape
from agents.demo.load import Load, scenario
from agents.demo.observer import Observer
from agents.demo.processes import Processes
from agents.demo.scrape import Numbers
from agents.redis_client import connect_sync
from agents.settings import Settings
from agents.views import SessionView, read_sessions, read_top_risks
from schemas.results import ChurnRow

_POLL_S = 0.2
_SETTLE_S = 60.0
_RISKS_EVERY_S = 1.0
#: Events/s are a mean over so long.
_SPEED_S = 5.0


class Unsettled(RuntimeError):
    """The worker did not deal with everything that was sent."""


class Demo:
    """One run: what is sent, what comes out, what the worker and the views say."""

    def __init__(self, settings: Settings, load: Load, observer: Observer) -> None:
        self.load = load
        self.observer = observer
        self.numbers = Numbers()
        self.sessions: list[SessionView] = []
        self.risks: list[ChurnRow] = []
        self.events_per_s = 0.0
        self._settings = settings
        self._redis = connect_sync(settings)
        self._speeds: list[tuple[float, int]] = []
        self._history_latency: dict[float, float] | None = None
        self._risks_at_s = 0.0

    def look(self) -> None:
        """Read everybody's newest numbers; what does not answer in time keeps its old ones."""
        numbers = scrape.read(self._settings.metrics_port)
        if numbers is not None:
            self.numbers = numbers
            self._note_speed()
            self._note_history()
        if time.monotonic() - self._risks_at_s >= _RISKS_EVERY_S:
            self._risks_at_s = time.monotonic()
            self._read_views()

    @property
    def latency(self) -> dict[float, float]:
        """The triggers by bucket of their latency, without those of the history at the start."""
        return scrape.since(self.numbers.latency, self._history_latency or {})

    @property
    def is_live(self) -> bool:
        """Whether the history at the start is behind us."""
        return self._history_latency is not None

    def quantile_ms(self, share: float) -> float | None:
        """Return about the event-to-trigger latency below which that share of triggers lies."""
        seconds = scrape.quantile(share, self.latency) if self.is_live else None
        return None if seconds is None else round(seconds * 1000, 1)

    def _note_speed(self) -> None:
        self._speeds.append((time.monotonic(), self.numbers.events.total()))
        while self._speeds[-1][0] - self._speeds[0][0] > _SPEED_S:
            del self._speeds[0]
        (began, before), (now, after) = self._speeds[0], self._speeds[-1]
        self.events_per_s = (after - before) / (now - began) if now > began else 0.0

    def _note_history(self) -> None:
        history = self.load.history
        if not self.is_live and history is not None and self.numbers.records >= history:
            self._history_latency = self.numbers.latency

    def _read_views(self) -> None:
        try:
            self.sessions = read_sessions(self._redis)
            self.risks = [
                row
                for session in self.sessions
                for row in read_top_risks(self._redis, session.session_id)
                if row.level == "high"
            ]
        except redis.RedisError:
            return  # a view that is slow for once is no reason to end

    def is_settled(self) -> bool:
        """Tell whether all that was sent is dealt with and all that came of it is read."""
        counts, results = self.observer.counts, self.numbers.results
        return (
            self.numbers.records >= self.load.tally.records
            and counts["DeadLetter"] >= self.numbers.dead_letters
            and counts["CouponTrigger"] >= results["coupons"]
            and counts["RecommendationTrigger"] >= results["recommendations"]
            and counts["ChurnRow"] >= results["churn"]
        )


class Plan(Struct, frozen=True, kw_only=True):
    """What the user asked for. ``seconds`` None: until they end it."""

    seconds: float | None
    rate: float
    sessions: int
    seed: int


def begin(settings: Settings, plan: Plan) -> Demo:
    """Open the sessions and start to watch."""
    world = scenario(settings, rate=plan.rate, sessions=plan.sessions, seed=plan.seed)
    demo = Demo(settings, Load(settings, world), Observer(settings))
    demo.observer.start()
    demo.load.start()
    return demo


def watch(demo: Demo, processes: Processes, *, until_s: float, show: Callable[[Demo], Any]) -> None:
    """Look and show until a time (monotonic). Raises what has failed, ProcessDied too."""
    while time.monotonic() < until_s:
        _look(demo, processes)
        show(demo)
        time.sleep(_POLL_S)


def settle(demo: Demo, processes: Processes, *, show: Callable[[Demo], Any]) -> None:
    """Stop sending, then wait for the worker and its results. Raises Unsettled."""
    demo.load.stop()
    deadline = time.monotonic() + _SETTLE_S
    while not demo.is_settled():
        if time.monotonic() > deadline:
            raise Unsettled(
                f"{demo.load.tally.records} records were sent, after {_SETTLE_S:g} s the worker"
                f" has dealt with {demo.numbers.records}"
            )
        time.sleep(_POLL_S)
        _look(demo, processes)
        show(demo)


def _look(demo: Demo, processes: Processes) -> None:
    processes.check()
    demo.load.check()
    demo.observer.check()
    demo.look()
