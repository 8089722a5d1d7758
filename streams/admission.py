"""Which decoded events may enter: not from the future, not from the day before yesterday.

An event's time is held against its record's own timestamp, so a replay admits the same.
"""

from collections.abc import Sequence

from schemas.codec import Rejection
from schemas.events import Event
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.records import Arrival, Record


def admit(
    decoded: Sequence[Event | Rejection], records: Sequence[Record], policy: Policy
) -> list[Arrival]:
    """Pair each record with its event, or with the reason why it is refused."""
    past, future = policy.past_limit_ms, policy.future_limit_ms
    return [
        (event, record)
        if -past <= event.ts - record.timestamp <= future
        else (_out_of_time(event, record, policy), record)
        for event, record in zip(decoded, records, strict=True)
    ]


def _out_of_time(event: Event | Rejection, record: Record, policy: Policy) -> Rejection:
    if isinstance(event, Rejection):
        return event
    ahead = event.ts - record.timestamp
    if ahead > 0:
        limit = policy.future_limit_ms
        return Rejection("future", f"`ts` is {ahead} ms ahead, at most {limit}: check the clock")
    limit = policy.past_limit_ms
    return Rejection("too_old", f"`ts` is {-ahead} ms old, at most {limit}: too late to count")


def misplaced(viewer_id: str, partitions: int) -> Rejection:
    """Refuse an event whose viewer belongs to another task: its counts would not add up."""
    right = partition_of(viewer_id, partitions)
    return Rejection(
        "wrong_partition",
        f"the record's key must be `viewer_id` and its partition {right} (murmur2 of the key):"
        " set the producer's partitioner to murmur2_random",
    )
