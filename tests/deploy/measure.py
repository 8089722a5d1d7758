"""``python -m tests.deploy.measure [EVENTS]``: the sizes that `livepulse plan` reckons with.

Runs the benchmark's workload through the core and counts what would be written to Kafka, with a
commit every 100 ms of stream time. Prints one JSON line. Sizes are before compression.
"""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from agents import recording
from agents.engine.output import Output
from agents.engine.transaction import Out
from agents.settings import Settings
from schemas.codec import BatchDecoder
from schemas.events import TOPICS
from streams import pipeline, replay
from streams.policy import Policy
from streams.records import Record
from streams.results import Results
from streams.store import State
from streams.totals import WindowTotal
from tests.bench import workload

#: Kafka's own bytes a record inside a batch: lengths, offset and time deltas, and a few more.
_OVERHEAD = 12
_COMMIT_S = 0.1
_KIND = {"live.conversion": "row", "live.window-totals": "total"}


class Tally:
    """Counts what is written; ``state`` are the keys of the changelog that are alive."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.totals: list[WindowTotal] = []
        self._alive: dict[bytes | None, int] = {}
        self._output = Output(Settings(), 0, 1)

    def commit(self, state: State, results: Results) -> None:
        """Count the records of a commit."""
        for out in self._output.state(state.puts({})):
            self._keep(out)
        self.counts["most_bytes"] = max(self.counts["most_bytes"], self.counts["alive_bytes"])
        self.counts["most_keys"] = max(self.counts["most_keys"], len(self._alive))
        self.totals += results.totals
        for out in self._output.results(results):
            self.counts[f"{_KIND.get(out.topic, 'result')}_bytes"] += _bytes(out)

    def _keep(self, out: Out) -> None:
        self.counts["changelog_bytes"] += _bytes(out)
        self.counts["changelog_records"] += 1
        self.counts["alive_bytes"] -= self._alive.pop(out.key, 0)
        if out.value is not None:
            self.counts["alive_bytes"] += self._alive.setdefault(out.key, _bytes(out))


def main(events: int) -> dict[str, float]:
    """Return sizes per event, per viewer, and per session and second."""
    replay._CHUNK = round(workload.EVENTS_PER_S * _COMMIT_S)
    decoders = {topic: BatchDecoder(types) for topic, types in TOPICS.items()}
    core, tally = replay.Replay(decoders, "live.host", Policy()), Tally()
    for results in core.run(_located(workload.records(events), tally.counts)):
        tally.commit(core.state, results)
    counts, session_seconds = tally.counts, workload.SESSIONS * events / workload.EVENTS_PER_S
    return {
        "input_bytes_per_event": round(counts["input_bytes"] / events),
        "changelog_bytes_per_event": round(counts["changelog_bytes"] / events),
        "changelog_records_per_event": round(counts["changelog_records"] / events, 2),
        "changelog_bytes_per_viewer": round(counts["most_bytes"] / workload.VIEWERS),
        "changelog_keys_per_viewer": round(counts["most_keys"] / workload.VIEWERS, 2),
        "result_bytes_per_event": round(counts["result_bytes"] / events),
        "row_bytes_per_session_s": round(counts["row_bytes"] / session_seconds),
        "total_bytes": round(counts["total_bytes"] / len(tally.totals)),
        "totals_per_session_s": round(len(tally.totals) / session_seconds, 2),
        "cpu_us_per_total": round(_merge_us(tally.totals), 1),
    }


def _merge_us(totals: Iterable[WindowTotal]) -> float:
    """Return what merging a total costs, rows included, in batches of a second's worth."""
    state, totals = State(0, 1, Policy()), list(totals)
    began_s = time.process_time()
    for start in range(0, len(totals), workload.SESSIONS):
        pipeline.merge(state, totals[start : start + workload.SESSIONS])
    return (time.process_time() - began_s) / len(totals) * 1e6


def _located(records: Iterable[recording.Record], counts: Counter[str]) -> Iterator[Record]:
    """Give the records offsets, and count their bytes."""
    offsets: defaultdict[str, int] = defaultdict(int)
    for r in records:
        offsets[r.topic] += 1
        counts["input_bytes"] += len(r.key or b"") + len(r.value or b"") + _OVERHEAD
        yield Record(r.topic, 0, offsets[r.topic], r.timestamp, r.key, r.value)


def _bytes(out: Out) -> int:
    headers = sum(len(name) + len(value) for name, value in out.headers or ())
    return len(out.key or b"") + len(out.value or b"") + headers + _OVERHEAD


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]) if sys.argv[1:] else 200_000)) + "\n")
