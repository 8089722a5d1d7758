"""Looks on while the run goes: what is committed, and what of it can be seen."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.results import ConversionRow, DeadLetter
from tests.chaos.checker import Violation, offsets_follow_effects
from tests.chaos.found import Book
from tests.chaos.offsets import Offsets, Places, quiet_consumer
from tests.chaos.oracle import Mark, Oracle, Place
from tests.integration.cluster import Said, Site

_SAMPLE_EVERY_S = 0.5
_CATCH_UP_S = 20.0

_row = msgspec.json.Decoder(ConversionRow)
_letter = msgspec.json.Decoder(DeadLetter)


class Tail:
    """Reads topics as they grow, ``read_committed``, each record once."""

    def __init__(self, site: Site, places: Places, names: Iterable[str]) -> None:
        self._places = places
        self._names = sorted(set(names))
        self._reached: Offsets = {}
        self.ends: Offsets = {}
        self._consumer = quiet_consumer(site, "read_committed")
        partitions = range(site.settings.partitions)
        self._consumer.assign([TopicPartition(n, p, 0) for n in self._names for p in partitions])

    def news(self) -> Iterator[Said]:
        """Yield everything up to the ends as they are now. Raises TimeoutError, KafkaException."""
        self.ends = wanted = self._places.ends(self._names)
        left = _CATCH_UP_S
        while any(self._reached.get(place, 0) < end for place, end in wanted.items()):
            messages = self._consumer.consume(2_000, timeout=0.1)
            left -= 0 if messages else 0.1
            if left < 0:
                raise TimeoutError("the ends of the topics are not reached")
            yield from filter(None, map(self._said, messages))

    def _said(self, message: Any) -> Said | None:
        error, place = message.error(), (message.topic(), message.partition())
        if error is None:
            self._reached[place] = message.offset() + 1
            headers = dict(message.headers() or ())
            return Said(*place, message.offset(), message.key(), message.value(), headers)
        if error.code() == KafkaError._PARTITION_EOF:
            self._reached[place] = max(self._reached.get(place, 0), message.offset())
        return None  # brokers come and go here: the client asks again by itself

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


class Watch:
    """Everything that can be seen of a site: its input, its state, its results.

    ``violations`` collects what was seen to be wrong on the way: I4, and rows out of turn.
    """

    def __init__(self, site: Site, places: Places, oracle: Oracle) -> None:
        settings = site.settings
        self.oracle = oracle
        self.book = Book()
        self.rows: dict[tuple[str, str, str, str, int], ConversionRow] = {}
        self.triggers: list[dict[str, Any]] = []
        self.letters: list[Place] = []
        self.decisions: list[str] = []
        self.violations: list[Violation] = []
        self.samples = 0
        self._places = places
        self._unproven: list[tuple[Place, Mark]] = []
        self._proven = 0
        self._inputs = set(site.input_topics)
        self._state, self._triggers = settings.topic_of("state"), settings.topic_of("CouponTrigger")
        self._conversion = settings.topic_of("ConversionRow")
        self._letters = settings.topic_of("DeadLetter")
        self._tail = Tail(site, places, [*self._inputs, self._state, *site.output_topics])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Look again and again, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more in the background; ``look`` may be called then."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """Disconnect."""
        self.stop()
        self._tail.close()

    def look(self) -> None:
        """Read what was committed, then what came of it. Raises TimeoutError, KafkaException."""
        committed = self._places.committed()
        written = self._places.ends([self._state], committed=False)
        for said in self._tail.news():
            self._hear(said)
        # The marks of a commit reach the partitions one by one: where a transaction is still
        # open nothing can be said yet.
        settled = {p for (t, p), end in written.items() if self._tail.ends[t, p] >= end}
        committed = {place: end for place, end in committed.items() if place[1] in settled}
        self._unproven += self.oracle.log[self._proven :]
        self._proven = len(self.oracle.log)
        self.violations += offsets_follow_effects(self._unproven, committed, self.book)
        self._unproven = [
            one for one in self._unproven if one[0][2] >= committed.get(one[0][:2], 0)
        ]
        self.samples += 1

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_EVERY_S):
            with suppress(KafkaException, TimeoutError):  # there is a fault at work
                self.look()

    def _hear(self, said: Said) -> None:
        if said.topic in self._inputs:
            self.oracle.replay([said])
        elif said.topic == self._state:
            self.book.read([said])
        elif said.topic == self._conversion:
            self._hear_row(_row.decode(said.value or b""))
        elif said.topic == self._letters:
            letter = _letter.decode(said.value or b"")
            self.letters.append((letter.topic, letter.partition, letter.offset))
        elif said.topic == self._triggers:
            self.triggers.append(msgspec.json.decode(said.value or b""))
        elif said.headers["ce_type"].startswith(b"live.decision"):
            self.decisions.append(said.headers["ce_id"].decode())

    def _hear_row(self, row: ConversionRow) -> None:
        start = 0 if row.window == "session" else row.start
        key = (row.session_id, row.scope, row.scope_id, row.window, start)
        before = self.rows.get(key)
        wanted = before.revision + 1 if before else row.revision
        if row.revision != wanted:
            what = f"revision of {key}"
            self.violations.append(Violation("I3", what, str(wanted), str(row.revision)))
        self.rows[key] = row
