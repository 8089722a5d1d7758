"""Everything held against the oracle: state, tables, triggers, memory, Redis, the logs anew."""

from collections.abc import Iterator
from contextlib import suppress

from confluent_kafka import KafkaException

from agents import redis_client
from agents.views.keys import Keys
from agents.views.reading import read_rows
from schemas.results import ConversionRow
from streams.totals import WINDOWS
from tests.chaos import checker
from tests.chaos.checker import Violation
from tests.chaos.found import Book, book_of, totals_of
from tests.chaos.oracle import Oracle
from tests.chaos.watch import Watch
from tests.chaos.workers import Fleet
from tests.integration.cluster import Site

_SCOPES = ("session", "product", "channel")


class Inspection:
    """Looks at one site when its load has ended."""

    def __init__(self, site: Site, watch: Watch, fleet: Fleet, oracle: Oracle) -> None:
        self._site = site
        self._watch = watch
        self._fleet = fleet
        self._oracle = oracle

    def look(self) -> list[Violation]:
        """Return what is wrong now; some of it may only be late."""
        watch, expected = self._watch, self._oracle.expected
        try:
            watch.look()
        except (KafkaException, TimeoutError) as error:
            return [Violation("I7", "the cluster", "answers", str(error))]
        found = [
            *checker.state_equals_oracle(expected, watch.book, what="state"),
            *checker.rows_equal_oracle(expected, watch.rows),
            *checker.triggers_equal_oracle(expected, watch.triggers),
            *checker.none_twice(watch.decisions, what="decision"),
            *checker.all_accounted(expected, watch.book, watch.letters),
        ]
        # The copies are compared when the originals are right: they change until then.
        return found or [*self._memory(), *self._redis(), *self._stored()]

    def held(self) -> Iterator[Violation]:
        """Say what the workers wait for: evidence beside other violations."""
        for number in self._fleet.numbers():
            with suppress(TimeoutError):
                for one in self._fleet[number].memory().held:
                    yield Violation("I7", f"worker {number}", "waits for nothing", one)

    def _memory(self) -> Iterator[Violation]:
        memory = Book()
        owned: list[int] = []
        for number in self._fleet.numbers():
            try:
                told = self._fleet[number].memory()
            except TimeoutError as error:
                yield Violation("I7", f"worker {number}", "answers", str(error))
                return
            owned += told.tasks
            for partition, key, value in told.state:
                memory.put(str(partition), key, value)
        if sorted(owned) != list(range(self._site.settings.partitions)):
            yield Violation("I5", "tasks", "each has one owner", str(sorted(owned)))
        yield from checker.memory_equals_changelog(self._watch.book, memory)

    def _redis(self) -> Iterator[Violation]:
        keys = Keys(self._site.settings.redis_prefix)
        shown: dict[tuple[str, str, str, str, int], ConversionRow] = {}
        places = [(w, scope) for w in WINDOWS for scope in _SCOPES]
        with redis_client.connect_sync(self._site.settings) as client:
            for session_id in {key[0] for key in self._watch.rows}:
                for window, scope in places:
                    for row in read_rows(client, session_id, window, scope, keys=keys):  # type: ignore[arg-type]
                        start = 0 if window == "session" else row.start
                        shown[session_id, scope, row.scope_id, window, start] = row
        with suppress(KafkaException, TimeoutError):
            self._watch.look()  # windows close as time goes on: so Redis is never ahead
        yield from checker.redis_equals_rows(self._watch.rows, shown)

    def _stored(self) -> Iterator[Violation]:
        """Read state and totals anew, as a new owner and a new merge would."""
        settings, expected = self._site.settings, self._oracle.expected
        changelog = book_of(self._site.read(settings.topic_of("state")))
        yield from checker.state_equals_oracle(expected, changelog, what="changelog")
        totals = totals_of(self._site.read(settings.topic_of("window-totals")))
        yield from checker.state_equals_oracle(expected, totals, what="totals")
