"""Asks the broker where the logs begin and end, in a thread of its own.

Not what the consumer knows: a worker that hangs fetches nothing, and must not look as if it had
nothing to do.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from faust.types import TP
from msgspec import Struct

from agents.settings import Settings

log = logging.getLogger(__name__)

EVERY_S = 10.0
_ANSWER_S = 10.0


class Span(Struct, frozen=True):
    """Where a topic-partition begins, and its end: the last stable offset."""

    begin: int
    end: int


class LogEnds:
    """The newest answer; ``at_s`` is epoch time, None before the first one."""

    def __init__(
        self,
        settings: Settings,
        wanted: Callable[[], Iterable[TP]],
        on_answer: Callable[[dict[TP, Span]], None],
    ) -> None:
        self.spans: dict[TP, Span] = {}
        self.at_s: float | None = None
        self._settings = settings
        self._wanted = wanted
        self._on_answer = on_answer
        self._at_once = threading.Event()

    def start(self) -> None:
        """Begin to ask, until the process ends."""
        threading.Thread(target=self._run, name="log-ends", daemon=True).start()

    def ask_soon(self) -> None:
        """Ask at once: other topic-partitions are wanted now."""
        self._at_once.set()

    def _run(self) -> None:
        client = AdminClient(self._settings.confluent_config() | {"log_level": 0})
        is_answered = True
        while True:
            try:
                self._ask(client)
            except KafkaException as error:
                if is_answered:
                    log.warning("the broker does not tell where its logs end: %s", error)
                is_answered = False
            else:
                is_answered = True
            self._at_once.wait(EVERY_S)
            self._at_once.clear()

    def _ask(self, client: AdminClient) -> None:
        places = [TopicPartition(*tp) for tp in self._wanted()]
        if not places:
            self.spans = {}
            return
        begins = self._offsets(client, places, OffsetSpec.earliest())
        ends = self._offsets(client, places, OffsetSpec.latest())
        self.spans = {tp: Span(begins[tp], end) for tp, end in ends.items()}
        self.at_s = time.time()  # noqa: TID251 - agents own the clock
        self._on_answer(self.spans)

    def _offsets(
        self, client: AdminClient, places: list[TopicPartition], spec: OffsetSpec
    ) -> dict[TP, int]:
        answers = client.list_offsets(
            dict.fromkeys(places, spec),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ANSWER_S,
        )
        return {TP(tp.topic, tp.partition): one.result().offset for tp, one in answers.items()}
