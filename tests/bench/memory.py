"""What an active viewer costs in a worker's memory.

Usage: python -m tests.bench.memory RECORDS; prints resident bytes per viewer, all told.
"""

import gc
import sys
from collections import defaultdict
from pathlib import Path

from schemas.codec import BatchDecoder
from schemas.events import TOPICS
from streams.policy import Policy
from streams.records import Record
from streams.replay import Replay
from tests.bench import workload

_PAGE = 4096
_CHUNK = 20_000


def resident() -> int:
    """Return the process's resident bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def main(records: int) -> float:
    """Run the workload through the core and divide what it has grown by the viewers."""
    decoders = {topic: BatchDecoder(types) for topic, types in TOPICS.items()}
    replay = Replay(decoders, "live.host", Policy())
    offsets: defaultdict[str, int] = defaultdict(int)
    before = resident()

    def located() -> object:
        for r in workload.records(records):
            offsets[r.topic] += 1
            yield Record(r.topic, 0, offsets[r.topic], r.timestamp, r.key, r.value)

    for _ in replay.run(located()):  # type: ignore[arg-type]
        for _ in replay.state.puts({}):
            pass
    gc.collect()
    viewers = sum(len(session.visits) for session in replay.state.sessions.values())
    return (resident() - before) / viewers


if __name__ == "__main__":
    sys.stdout.write(f"{main(int(sys.argv[1])):.0f}\n")
