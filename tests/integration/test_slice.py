"""The whole slice on a real Kafka and a real Redis: a simulated world through one worker."""

import time
from collections import Counter
from typing import NamedTuple

import msgspec
import pytest

from agents import redis_client
from agents.views.keys import Keys
from agents.views.reading import read_rows, read_sessions, read_total, read_triggers
from schemas.results import CouponTrigger, RecommendationTrigger
from streams.policy import Policy
from streams.store import State
from tests.integration.cluster import PARTITIONS, Said, Site, new_site
from tests.integration.kafka import Kafka
from tests.integration.outcome import Outcome, assert_counts, outcome, wait_counted
from tests.integration.world import CLOCK, World, clock_events, count, make_world

pytestmark = pytest.mark.kafka

#: The world begins so long after it was sent, which is within what the future may hold.
AHEAD_MS = 4_000


class Slice(NamedTuple):
    """What went in, what came out, what the worker said of itself."""

    site: Site
    world: World
    fed: int
    metrics: Counter[str]
    found: Outcome


@pytest.fixture(scope="module")
def whole(kafka: Kafka, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Slice:
    """Run a world of four minutes of history and ten seconds more through one worker."""
    site = new_site(kafka, redis_url, tmp_path_factory.mktemp("slice"))
    site.create_topics()
    start_ms = time.time_ns() // 1_000_000 + AHEAD_MS
    world = make_world(
        start_ms=start_ms, rate=30.0, viewers=400, sessions=3, warm_up_s=240.0, duration_s=10.0,
        bad_share=0.004, unannounced_share=0.1,
    )  # fmt: skip
    later = clock_events(start_ms + 25_000, PARTITIONS)
    fed = site.feed(world.records) + site.feed(later)
    with site.worker() as worker:
        worker.ready()
        wait_counted(site, world)
        metrics = worker.metrics()
        assert worker.stop() == 0
    return Slice(site, world, fed, metrics, outcome(site))


def test_every_record_is_accounted_for(whole: Slice) -> None:
    """Records in = events applied + duplicates + dead letters, by the worker's own count."""
    total = Counter[str]()
    for name, value in whole.metrics.items():
        total[name.split("{")[0]] += int(value)
    assert total["livepulse_duplicates_total"] == whole.world.tally.duplicates
    assert total["livepulse_dead_letters_total"] == len(whole.world.broken)
    applied = whole.fed - whole.world.tally.duplicates - len(whole.world.broken)
    assert total["livepulse_events_total"] == applied


def test_rows_and_dead_letters_equal_a_plain_count(whole: Slice) -> None:
    """Counts, people and money of the whole session, and one dead letter for each bad record."""
    assert_counts(whole.world, whole.found)


def test_every_kind_of_result_occurs(whole: Slice) -> None:
    """Coupons, recommendations, churn rows and suppressed decisions come out of the world."""
    kinds = {type(trigger) for trigger in whole.found.triggers.values()}
    assert kinds == {CouponTrigger, RecommendationTrigger}
    assert {"low", "high"} >= {msgspec.json.decode(row)["level"] for row in whole.found.churn}
    assert whole.found.churn
    assert {d.outcome for d in whole.found.decisions.values()} == {"sent", "suppressed"}


def test_triggers_are_cloudevents_of_their_viewers(whole: Slice) -> None:
    """Each has the headers of binary mode, the viewer as its key, and its id only once."""
    records = read(whole.site, "CouponTrigger", "RecommendationTrigger")
    assert len(records) == len(whole.found.triggers)
    for record in records:
        trigger = msgspec.json.decode(record.value or b"")
        assert record.headers["ce_specversion"] == b"1.0"
        assert record.headers["ce_id"].decode() == trigger["trigger_id"]
        assert record.headers["ce_subject"].decode() == trigger["session_id"]
        assert record.headers["ce_type"].startswith(b"live.")
        assert record.key == record.headers["ce_partitionkey"] == trigger["viewer_id"].encode()


def read(site: Site, *kinds: str) -> list[Said]:
    """Read the topics of these types."""
    return site.read(*(site.settings.topic_of(kind) for kind in kinds))


def test_redis_shows_what_the_topics_say(whole: Slice) -> None:
    """Totals, rows of each window and triggers are the newest that was published."""
    keys = Keys(whole.site.settings.redis_prefix)
    rows = whole.found.rows
    with redis_client.connect_sync(whole.site.settings) as client:
        shown = {view.session_id for view in read_sessions(client, keys=keys)}
        assert shown >= count(whole.world).keys()
        for session_id in shown - {CLOCK}:
            total = read_total(client, session_id, keys=keys)
            assert total == rows[session_id, "session", session_id, "session", 0]
            for row in read_rows(client, session_id, "1m", "product", keys=keys):
                assert row == rows[session_id, "product", row.scope_id, "1m", row.start]
            for trigger in read_triggers(client, session_id, keys=keys):
                assert trigger == whole.found.triggers[trigger.trigger_id]


def test_the_state_is_in_the_changelog(whole: Slice) -> None:
    """Every partition's newest records restore a state that knows the sessions' visits."""
    by_partition: dict[int, dict[bytes, bytes]] = {p: {} for p in range(PARTITIONS)}
    for record in read(whole.site, "state"):
        if record.value is None:
            by_partition[record.partition].pop(record.key or b"", None)
        else:
            by_partition[record.partition][record.key or b""] = record.value
    known: Counter[str] = Counter()
    for partition, records in by_partition.items():
        state = State(partition, PARTITIONS, Policy())
        state.restore(records)
        known.update({sid: len(one.visits) for sid, one in state.sessions.items()})
    for session_id, wanted in count(whole.world).items():
        assert known[session_id] >= len(wanted.people["interacted"])
