"""What an active viewer costs in a worker's memory.

Usage: python -m tests.bench.memory RECORDS; prints bytes per viewer that the state holds, all
told: visits, panes, timers, the conversion table. (Resident memory is more: what the workload
itself and the steps in between needed, and the allocator keeps.)
"""

import gc
import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator

from schemas.codec import BatchDecoder
from schemas.events import TOPICS
from streams.policy import Policy
from streams.records import Record
from streams.replay import Replay
from tests.bench import workload


def main(records: int) -> float:
    """Run the workload through the core and divide what it holds then by the viewers."""
    decoders = {topic: BatchDecoder(types) for topic, types in TOPICS.items()}
    replay = Replay(decoders, "live.host", Policy())
    offsets: defaultdict[str, int] = defaultdict(int)

    def located() -> Iterator[Record]:
        for r in workload.records(records):
            offsets[r.topic] += 1
            yield Record(r.topic, 0, offsets[r.topic], r.timestamp, r.key, r.value)

    tracemalloc.start()
    for _ in replay.run(located()):
        for _ in replay.state.puts({}):
            pass
    gc.collect()
    viewers = sum(len(session.visits) for session in replay.state.sessions.values())
    return tracemalloc.get_traced_memory()[0] / viewers


if __name__ == "__main__":
    sys.stdout.write(f"{main(int(sys.argv[1])):.0f}\n")
