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
from agents.demo.reactions import Reactions
from agents.demo.scrape import Numbers
from agents.redis_client import connect_sync
from agents.settings import Settings
from agents.simulator.scenario import Scenario
from agents.views.reading import count_at_risk, read_sessions, read_top_risks
from schemas.results import ChurnRow

_LOOK_EVERY_S = 1.0
_SETTLING_S = 0.2
_SETTLE_S = 60.0
#: Events/s are a mean over so long.
_SPEED_S = 5.0
#: So long are records under way when nothing waits.
_CAUGHT_UP_S = 1.0
#: After so long in this state, whatever waited for its commit has been committed.
_STEADY_S = 2.0


class Unsettled(RuntimeError):  # noqa: N818 - it reads as what it says
    """The worker did not deal with everything that was sent."""


class Demo:
    """One run: what is sent, what comes out, what the worker and the views say."""

    def __init__(self, settings: Settings, world: Scenario) -> None:
        self.load = Load(settings, world)
        self.observer = Observer(settings)
        self.reactions = Reactions(settings, self.observer.prices)
        self.observer.on_trigger = self.reactions.hear
        self.numbers = Numbers()
        self.titles: dict[str, str] = {}
        self.at_risk = 0  # viewers at high risk now
        self.risks: list[ChurnRow] = []  # the likeliest of them
        self.events_per_s = 0.0
        self._settings = settings
        self._rate = world.rate
        self._redis = connect_sync(settings)
        self._speeds: list[tuple[float, int]] = []
        self._behind_at_s = time.monotonic()
        self._history_latency: dict[float, float] | None = None

    def look(self) -> None:
        """Read everybody's newest numbers; what does not answer in time keeps its old ones."""
        numbers = scrape.read(self._settings.metrics_port)
        if numbers is not None:
            self.numbers = numbers
            self._note_speed()
            self._note_history()
        self._read_views()

    @property
    def sent(self) -> int:
        """Records that were sent: of the simulated world, and of those who answer triggers."""
        return self.load.tally.records + self.reactions.tally.records

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

    def close(self) -> None:
        """Send and read no more; what is under way may be lost."""
        self.load.cancel()
        self.reactions.stop()
        self.observer.stop()
        self._redis.close()

    def _note_speed(self) -> None:
        self._speeds.append((time.monotonic(), self.numbers.events.total()))
        while self._speeds[-1][0] - self._speeds[0][0] > _SPEED_S:
            del self._speeds[0]
        (began, before), (now, after) = self._speeds[0], self._speeds[-1]
        self.events_per_s = (after - before) / (now - began) if now > began else 0.0

    def _note_history(self) -> None:
        """Note where the latency stood when the worker had caught up with now."""
        behind = self.sent - self.numbers.records
        now_s = time.monotonic()
        if not self.load.history_is_sent or behind > self._rate * _CAUGHT_UP_S:
            self._behind_at_s = now_s
        if not self.is_live and now_s - self._behind_at_s >= _STEADY_S:
            self._history_latency = self.numbers.latency

    def _read_views(self) -> None:
        try:
            sessions = read_sessions(self._redis)
            self.titles = {session.session_id: session.title for session in sessions}
            self.at_risk = sum(count_at_risk(self._redis, one.session_id) for one in sessions)
            self.risks = [
                row
                for session in sessions
                for row in read_top_risks(self._redis, session.session_id)
                if row.level == "high"
            ]
        except redis.RedisError:
            return  # a view that is slow for once is no reason to end

    def is_settled(self) -> bool:
        """Tell whether all that was sent is dealt with and all that came of it is read."""
        counts, results = self.observer.counts, self.numbers.results
        return (
            self.numbers.records >= self.sent
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
    demo = Demo(settings, world)
    demo.observer.start()
    demo.load.start()
    demo.reactions.start()
    return demo


def watch(demo: Demo, processes: Processes, *, until_s: float, show: Callable[[Demo], Any]) -> None:
    """Look and show until a time (monotonic). Raises what has failed, ProcessDied too."""
    while time.monotonic() < until_s:
        _look(demo, processes)
        show(demo)
        time.sleep(_LOOK_EVERY_S)


def settle(demo: Demo, processes: Processes, *, show: Callable[[Demo], Any]) -> None:
    """Stop sending, then wait for the worker and its results. Raises Unsettled."""
    demo.load.stop()
    demo.reactions.stop()
    deadline = time.monotonic() + _SETTLE_S
    while not demo.is_settled():
        if time.monotonic() > deadline:
            raise Unsettled(
                f"{demo.sent} records were sent, after {_SETTLE_S:g} s the worker"
                f" has dealt with {demo.numbers.records}"
            )
        time.sleep(_SETTLING_S)
        _look(demo, processes)
        show(demo)


def _look(demo: Demo, processes: Processes) -> None:
    processes.check()
    demo.load.check()
    demo.observer.check()
    demo.look()
