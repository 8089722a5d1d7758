"""Who owns which task: partition number p of every input topic goes to one worker.

Faust without tables falls back to round robin, which would part the topics of a task. This
assignor keeps them together, leaves a task where it is when it can (a move costs a restore),
and gives the broadcast topic whole to every worker. A static member says nothing of what it has:
what it says must be the same when it comes back, or the broker has everybody join again. Their
ids begin with their names, so that the same names get the same tasks.
"""

from collections.abc import Iterable, Mapping
from heapq import heappop

import msgspec
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)


def assign_tasks(owned: Mapping[str, Iterable[int]], partitions: int) -> dict[str, list[int]]:
    """Spread the tasks evenly over the members, each staying with its owner where it can."""
    members = sorted(owned, key=lambda member: (-len(list(owned[member])), member))
    floor, extra = divmod(partitions, len(members))
    quota = {m: floor + (i < extra) for i, m in enumerate(members)}
    assigned: dict[str, list[int]] = {m: [] for m in members}
    free = set(range(partitions))
    for member in members:
        for p in sorted(owned[member]):
            if p in free and len(assigned[member]) < quota[member]:
                assigned[member].append(p)
                free.discard(p)
    left = sorted(free)
    for member in members:
        while len(assigned[member]) < quota[member]:
            assigned[member].append(heappop(left))
    return {m: sorted(tasks) for m, tasks in assigned.items()}


class TaskAssignor(AbstractPartitionAssignor):  # type: ignore[misc] # aiokafka is untyped
    """The group's partition assignor; every worker must run the same one."""

    name = "livepulse-tasks"
    version = 0

    def __init__(self, broadcast: str, *, is_static: bool = False) -> None:
        self._broadcast = broadcast
        self._is_static = is_static
        self._owned: list[int] = []

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Tell the group's leader which tasks this worker has, unless it is a static member."""
        owned = msgspec.msgpack.encode([] if self._is_static else self._owned)
        return ConsumerProtocolMemberMetadata(self.version, sorted(topics), owned)

    def assign(
        self, cluster: object, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Assign all partitions of all topics; called on the leader only."""
        topics = sorted({t for metadata in members.values() for t in metadata.subscription})
        counts = {t: len(cluster.partitions_for_topic(t) or ()) for t in topics}  # type: ignore[attr-defined]
        owned = {m: msgspec.msgpack.decode(d.user_data or b"\x90") for m, d in members.items()}
        tasks = assign_tasks(owned, max(counts.values(), default=0))
        return {
            member: ConsumerProtocolMemberAssignment(
                self.version,
                [(t, self._partitions(t, counts[t], tasks[member])) for t in topics],
                b"",
            )
            for member in members
        }

    def _partitions(self, topic: str, count: int, tasks: list[int]) -> list[int]:
        return list(range(count)) if topic == self._broadcast else [p for p in tasks if p < count]

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what this worker got."""
        self._owned = sorted(
            {p for topic, ps in assignment.assignment if topic != self._broadcast for p in ps}
        )
