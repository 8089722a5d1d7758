"""What the worker has published, read as any other consumer would: committed records only.

It reads from the beginning and all the time, because the embedded broker does not keep much.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from itertools import chain, islice, zip_longest
from threading import Event, Thread
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from agents.demo.broker import PARTITIONS
from agents.settings import Settings
from schemas.events import ProductListed
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    RecommendationTrigger,
)

AnyTrigger = CouponTrigger | RecommendationTrigger
#: Triggers of each rule that are kept to be shown.
SHOWN = 60
_BATCH = 500
_POLL_S = 0.2
_READ = (CouponTrigger, RecommendationTrigger, ConversionRow, ChurnRow, Decision, DeadLetter)


class Observer:
    """Counts the results by type, and keeps the newest triggers and whole-session rows.

    ``on_trigger`` is called with every trigger, in the thread that reads.
    """

    def __init__(self, settings: Settings) -> None:
        self.counts: Counter[str] = Counter()
        self.suppressed = 0
        self._triggers: defaultdict[str, deque[AnyTrigger]] = defaultdict(
            lambda: deque(maxlen=SHOWN)
        )
        self.sessions: dict[str, ConversionRow] = {}
        self.titles: dict[str, str] = {}
        self.prices: dict[str, int] = {}
        self.on_trigger: Callable[[AnyTrigger], None] | None = None
        self._decoders = {settings.topic_of(t.__name__): msgspec.json.Decoder(t) for t in _READ}
        # Product titles are the host's; triggers name products by their id only.
        self._host_topic = settings.topic_of("ProductListed")
        self._titles = msgspec.json.Decoder(ProductListed)
        self._config = settings.confluent_config() | {
            "group.id": "livepulse-demo",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
            "log_level": 2,  # it would report each lost connection when the broker ends
        }
        self._stop = Event()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raise what has failed."""
        if self._failure is not None:
            raise self._failure

    def newest(self, count: int) -> list[AnyTrigger]:
        """Return so many triggers, the newest first, of all rules alike: some fire all the time."""
        by_rule = [list(triggers) for _, triggers in sorted(self._triggers.copy().items())]
        rounds = chain.from_iterable(zip_longest(*by_rule))
        chosen = islice(filter(None, rounds), count)
        return sorted(chosen, key=lambda t: (-t.decided_at, t.trigger_id))

    def _run(self) -> None:
        consumer = Consumer(self._config)
        try:
            topics = (*self._decoders, self._host_topic)
            consumer.assign(
                [TopicPartition(t, p, OFFSET_BEGINNING) for t in topics for p in range(PARTITIONS)]
            )
            while not self._stop.is_set():
                for message in consumer.consume(_BATCH, _POLL_S):
                    self._read(message)
        except Exception as error:  # noqa: BLE001 - handed to the thread that asks
            self._failure = error
        finally:
            consumer.close()

    def _read(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                raise RuntimeError(f"{message.topic()}: {error.str()}")
        elif message.topic() == self._host_topic:
            self._note_title(message.value())
        else:
            self._note(self._decoders[message.topic()].decode(message.value()))

    def _note_title(self, value: bytes) -> None:
        if b'"ProductListed"' in value:
            listed = self._titles.decode(value)
            self.titles[listed.product_id] = listed.title
            self.prices[listed.product_id] = listed.price

    def _note(self, result: Any) -> None:
        self.counts[type(result).__name__] += 1
        match result:
            case CouponTrigger() | RecommendationTrigger():
                self._triggers[result.rule].appendleft(result)
                if self.on_trigger is not None:
                    self.on_trigger(result)
            case ConversionRow(scope="session", window="session"):
                self._note_session(result)
            case Decision(outcome="suppressed"):
                self.suppressed += 1

    def _note_session(self, row: ConversionRow) -> None:
        known = self.sessions.get(row.session_id)
        if known is None or row.revision >= known.revision:
            self.sessions[row.session_id] = row
