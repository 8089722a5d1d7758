"""The host's events, read whole by every worker and kept until each of its tasks has them."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from schemas.codec import BatchDecoder
from streams.admission import admit
from streams.policy import Policy
from streams.records import Arrival, Record


class HostLog:
    """The newest part of the broadcast topic, by partition, decoded once for all tasks."""

    def __init__(self, decoder: BatchDecoder, policy: Policy) -> None:
        self._decoder = decoder
        self._policy = policy
        self._arrivals: dict[int, list[Arrival]] = {}
        self._offsets: dict[int, list[int]] = {}

    def clear(self) -> None:
        """Forget everything: the topic will be read again."""
        self._arrivals.clear()
        self._offsets.clear()

    def append(self, records: Sequence[Record]) -> None:
        """Add a fetched batch of one partition; records that are known already are passed over."""
        partition = records[0].partition
        end = self.end(partition)
        fresh = [r for r in records if r.offset >= end]
        if fresh:
            decoded = self._decoder.decode([r.value for r in fresh])
            self._arrivals.setdefault(partition, []).extend(admit(decoded, fresh, self._policy))
            self._offsets.setdefault(partition, []).extend(r.offset for r in fresh)

    def end(self, partition: int) -> int:
        """Return the offset after the newest known record."""
        offsets = self._offsets.get(partition)
        return offsets[-1] + 1 if offsets else 0

    def since(self, partition: int, offset: int) -> list[Arrival]:
        """Return what the partition brought from an offset on."""
        offsets = self._offsets.get(partition, [])
        return self._arrivals.get(partition, [])[bisect_left(offsets, offset) :]

    def trim(self, partition: int, cursors: Iterable[int]) -> None:
        """Drop what all cursors are past, but for the newest record, which marks the end."""
        offsets = self._offsets.get(partition, [])
        done = min(bisect_left(offsets, min(cursors, default=0)), len(offsets) - 1)
        if done > 0:
            del offsets[:done]
            del self._arrivals[partition][:done]
