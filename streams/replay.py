"""A recorded session through the core: one task, no broker, no clock.

The same file gives the same results, byte for byte, however often it is replayed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from schemas.codec import Decoder
from streams import pipeline
from streams.admission import admit
from streams.budget import Ledger
from streams.order import StreamOrder, by_tick
from streams.policy import Policy
from streams.records import Record
from streams.results import Results
from streams.store import State

_CHUNK = 10_000
#: After the last record, quiet time passes until every window is final.
_QUIET_MS = (5_000, 30_000, 60_000, 120_000)


class Replay:
    """Replays records in the order of their arrival."""

    def __init__(self, decoders: Mapping[str, Decoder], host_topic: str, policy: Policy) -> None:
        self.state = State(0, 1, policy)
        self._decoders = decoders
        self._host_topic = host_topic
        self._order = StreamOrder(dict.fromkeys(((topic, 0) for topic in decoders), 0))
        self._ledger = Ledger()

    def run(self, records: Iterable[Record]) -> Iterator[Results]:
        """Yield the results of every step; the last ones close all windows."""
        source = iter(records)
        while chunk := list(islice(source, _CHUNK)):
            self._push(chunk)
            arrivals = self._order.take(lambda _: True)
            for run in by_tick(arrivals, self.state.policy.publish_every_ms):
                yield self._settled(pipeline.step(self.state, run))
            yield self._advance({})
        for quiet_ms in _QUIET_MS:
            yield self._advance(dict.fromkeys(self._decoders, quiet_ms))

    def _push(self, records: Sequence[Record]) -> None:
        by_topic: defaultdict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        for topic, batch in by_topic.items():
            decoded = self._decoders[topic].decode([record.value for record in batch])
            self._order.push((topic, 0), admit(decoded, batch, self.state.policy))

    def _advance(self, quiet_ms: Mapping[str, int]) -> Results:
        newest = {t: ts for (t, _), ts in self._order.newest().items() if t != self._host_topic}
        results = self._settled(pipeline.advance(self.state, newest, quiet_ms))
        results.add(pipeline.merge(self.state, [*results.totals, *results.marks]))
        return results

    def _settled(self, results: Results) -> Results:
        answers = [self._ledger.reserve(choice.reservation) for choice in results.choices]
        pipeline.settle(self.state, results, answers)
        for release in results.releases:
            self._ledger.release(release)
        return results
