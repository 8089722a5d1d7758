"""The simulated viewers, sent from a thread of the demo."""

import math
import time
from collections.abc import Iterator
from threading import Event, Thread

from agents.recording import Record
from agents.settings import Settings
from agents.simulator.scenario import Scenario, Tally, default_topics, viewers_needed
from agents.simulator.sending import send
from agents.simulator.world import simulate

#: History that is played in at the start, so that carts are old enough for coupons at once.
WARM_UP_S = 30.0
#: People, in multiples of the fewest that can tell the rate.
_ROOMY = 2.5
#: The embedded broker hands out one batch of a partition per fetch: few large ones go faster.
_BATCHING = {"linger.ms": 100}
_END_S = 40.0
_CANCEL_S = 2.0


def scenario(settings: Settings, *, rate: float, sessions: int, seed: int) -> Scenario:
    """Return a world that starts now. Raises ValueError that names the field."""
    return Scenario(
        start_ms=time.time_ns() // 1_000_000,
        rate=rate,
        sessions=sessions,
        seed=seed,
        viewers=math.ceil(_ROOMY * viewers_needed(rate)),
        warm_up_s=WARM_UP_S,
        characters=("flash_sale", "stock_out", "calm"),
        topics={name: settings.topic_of(name) for name in default_topics()},
    )


class Load:
    """Sends a scenario until it is stopped; ``tally`` counts what was sent.

    ``history_is_sent`` tells whether all that was before the start is under way.
    """

    def __init__(self, settings: Settings, world: Scenario) -> None:
        self.tally = Tally()
        self.history_is_sent = False
        self._settings = settings
        self._world = world
        self._stop = Event()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._send, name="simulator", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and return when the broker has everything. Raises what has failed."""
        self._stop.set()
        self._thread.join(_END_S)
        self.check()

    def cancel(self) -> None:
        """Send no more, whatever becomes of what was sent."""
        self._stop.set()
        self._thread.join(_CANCEL_S)

    def check(self) -> None:
        """Raise what has failed."""
        if self._failure is not None:
            raise self._failure

    def _send(self) -> None:
        try:
            send(
                self._records(),
                producer_config=self._settings.confluent_config() | _BATCHING,
                rate=self._world.rate,
                on_progress=lambda _: None,
                stop=self._stop,
            )
        except Exception as error:  # noqa: BLE001 - handed to the thread that asks
            self._failure = error

    def _records(self) -> Iterator[Record]:
        for record in simulate(self._world, tally=self.tally):
            if record.timestamp > self._world.start_ms:
                self.history_is_sent = True
            yield record
