"""How far the group and the logs are, asked with a consumer that never joins.

librdkafka's admin client ends the process by an assertion when a coordinator goes while it asks.
"""

from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, TopicPartition

from tests.integration.cluster import Site

#: A topic and a partition, and an offset in it.
Offsets = dict[tuple[str, int], int]

_TIMEOUT_S = 5.0
_END = -1

#: For clients that shall notice soon who leads and that a broker is back, and say nothing of it.
QUICK = {
    "socket.timeout.ms": 5_000,
    "reconnect.backoff.max.ms": 500,
    "topic.metadata.refresh.interval.ms": 1_000,
    "metadata.max.age.ms": 2_000,
    "log_level": 0,
}


def quiet_consumer(site: Site, isolation: str) -> Consumer:
    """Return a consumer that knows the workers' group and is no member of it."""
    own = {
        "group.id": site.settings.app_id,
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 100,
    }
    return Consumer(site.settings.confluent_config() | QUICK | own)


class Places:
    """Asks for offsets. Every method raises KafkaException when the cluster does not answer."""

    def __init__(self, site: Site) -> None:
        self._partitions = range(site.settings.partitions)
        host = site.settings.topic_of("SessionStarted")
        self.viewer_inputs = [topic for topic in site.input_topics if topic != host]
        self._group = [*self.viewer_inputs, site.settings.topic_of("window-totals")]
        self._careful = quiet_consumer(site, "read_committed")
        self._eager = quiet_consumer(site, "read_uncommitted")

    def committed(self) -> Offsets:
        """Return the group's committed offsets.

        Asked as one who reads uncommitted records, which changes nothing in the answer: who reads
        only what is committed would wait for the end of every open transaction, also of a worker
        that was killed in it.
        """
        asked = [TopicPartition(t, p) for t in self._group for p in self._partitions]
        answer = self._eager.committed(asked, timeout=_TIMEOUT_S)
        return {(tp.topic, tp.partition): tp.offset for tp in answer if tp.offset >= 0}

    def ends(self, names: Iterable[str], *, committed: bool = True) -> Offsets:
        """Return the end of every partition, for who reads only what is committed, or all."""
        asked = [TopicPartition(t, p, _END) for t in names for p in self._partitions]
        consumer = self._careful if committed else self._eager
        answer = consumer.offsets_for_times(asked, timeout=_TIMEOUT_S)
        for tp in answer:
            if tp.error is not None:
                raise TimeoutError(f"{tp.topic}/{tp.partition}: {tp.error}")
        return {(tp.topic, tp.partition): tp.offset for tp in answer}

    def is_drained(self) -> bool:
        """Tell whether every viewer event that has arrived is committed."""
        return self.passes()()

    def passes(self) -> Callable[[], bool]:
        """Return what tells whether all that has arrived by the first question is committed."""
        goal: Offsets = {}

        def passed() -> bool:
            goal.update(goal or self.ends(self.viewer_inputs))
            reached = self.committed()
            return all(reached.get(place, 0) >= end for place, end in goal.items())

        return passed

    def close(self) -> None:
        """Disconnect."""
        self._careful.close()
        self._eager.close()
