"""`livepulse erase` on a real Kafka and Redis: no topic, no key and no log names the viewer."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from agents.acls import acls
from streams.policy import Policy
from streams.store import State
from tests.agents.command_line import CommandLine
from tests.integration.canary import in_records, in_redis
from tests.integration.cluster import Said, until
from tests.integration.house import PARTITIONS, House, as_user
from tests.integration.secure_kafka import SecureKafka
from tests.integration.secure_redis import SecureRedis
from tests.integration.world import make_world

pytestmark = pytest.mark.kafka

#: Compaction waits for nothing, and forgets tombstones, too.
EAGER = {
    "segment_ms": "500", "min_cleanable_dirty_ratio": "0.001", "min_compaction_lag_ms": "0",
    "max_compaction_lag_ms": "1000", "delete_retention_ms": "0",
}  # fmt: skip
COMPACTED_WITHIN_S = 120.0
AGO_MS = 300_000


class Room:
    """A house in which a world was played and a worker still runs."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.site = house.as_root()
        self.topics = house.topics()
        self.viewer = self._somebody_with_triggers()

    def _somebody_with_triggers(self) -> str:
        triggers = self.site.read(self.house.settings.topic_of("RecommendationTrigger"))
        known = Counter(msgspec.json.decode(one.value or b"")["viewer_id"] for one in triggers)
        return str(known.most_common(1)[0][0])

    def named_in_topics(self) -> set[str]:
        """Return the topics that name the viewer."""
        return in_records(self.site.read(*self.topics), self.viewer.encode())

    def named_in_redis(self) -> set[bytes]:
        """Return the keys that name the viewer."""
        with closing(self.house.root_redis()) as client:
            return in_redis(client, self.house.settings.redis_prefix, self.viewer.encode())

    def states(self) -> list[State]:
        """Restore every task's state from the changelog as it stands."""
        return list(_restored(self.site.read(self.house.settings.topic_of("state"))))


def _restored(said: list[Said]) -> Iterator[State]:
    for partition in range(PARTITIONS):
        log = {one.key: one.value for one in said if one.partition == partition}
        state = State(partition, PARTITIONS, Policy())
        state.restore({k: v for k, v in log.items() if k is not None and v is not None})
        yield state


def visits_of(room: Room) -> list[str]:
    """Return the sessions whose state knows the viewer."""
    sessions = [one for state in room.states() for one in state.sessions.values()]
    return [one.id for one in sessions if room.viewer in one.visits]


@pytest.fixture
def house(secure_kafka: SecureKafka, secure_redis: SecureRedis, tmp_path: Path) -> House:
    """Give a deployment with the documented permissions, whose state is compacted at once."""
    house = House(secure_kafka, secure_redis, tmp_path)
    house.grant(acls(house.settings))
    house.as_role("admin").create_topics(arrival_time=False)
    house.alter(house.settings.topic_of("state"), **EAGER)
    return house


def test_an_erased_viewer_is_nowhere_any_more(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """State and Redis at once, the changelog once compacted, all else when its time is over."""
    start_ms = time.time_ns() // 1_000_000 - AGO_MS
    world = make_world(
        start_ms=start_ms, rate=30.0, viewers=300, sessions=2, warm_up_s=200.0, duration_s=10.0
    )
    house.as_role("producer").feed(world.records)
    shell = as_user(CommandLine(monkeypatch, capsys, tmp_path), house.as_role("eraser").settings)
    with house.as_role("worker").worker(LIVEPULSE_LOG_LEVEL="DEBUG") as worker:
        worker.ready(PARTITIONS)
        house.as_root().settle()
        room = Room(house)
        until(lambda: "Redis names the viewer", room.named_in_redis)
        state_topic = house.settings.topic_of("state")
        assert room.named_in_topics() >= {state_topic, house.settings.topic_of("Decision")}

        for _ in range(2):  # the second finds nothing, and does no harm
            assert shell.run("erase", room.viewer, "--json").code == 0
        house.as_root().settle()
        until(lambda: f"state forgets: {visits_of(room)}", lambda: not visits_of(room))
        until(lambda: f"Redis forgets: {room.named_in_redis()}", lambda: not room.named_in_redis())
        assert_presence(room)

        until(
            lambda: "the changelog is compacted",
            lambda: state_topic not in room.named_in_topics(),
            limit_s=COMPACTED_WITHIN_S,
        )
        assert worker.stop() == 0
        with house.as_role("worker").worker() as restarted:
            restarted.ready(PARTITIONS)
            assert not visits_of(room)
            assert restarted.stop() == 0
    assert room.viewer not in worker.log.read_text() + restarted.log.read_text()
    for topic in room.topics:  # what is kept for a week: let the week pass
        if topic != state_topic:
            house.alter(topic, retention_ms="1")
    until(
        lambda: f"retention, still in {room.named_in_topics()}",
        lambda: not room.named_in_topics(),
        limit_s=COMPACTED_WITHIN_S,
    )
    assert not room.named_in_redis()


def assert_presence(room: Room) -> None:
    """Each session's count of viewers is that of its visits."""
    for state in room.states():
        for session in state.sessions.values():
            there = sum(visit.present for _, visit in session.visits.glance())
            assert session.room.present == there, session.id
