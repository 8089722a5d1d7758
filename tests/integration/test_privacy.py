"""No viewer and no comment in logs or metrics; with a key, none behind the decoders either."""

import base64
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from agents import redis_client
from agents.pseudonyms import pseudonym
from schemas.results import DeadLetter
from streams.partitioner import partition_of
from tests.integration.canary import MARKER, MISPLACED, in_records, in_redis, marked, misplace
from tests.integration.cluster import Said, Site, decoded, new_site
from tests.integration.kafka import Kafka
from tests.integration.world import World, clock_events, make_world

pytestmark = pytest.mark.kafka

KEY = "a key that is long enough to be one"
AGO_MS = 400_000


class Told(NamedTuple):
    """A world of canaries, and all that livepulse said of it."""

    site: Site
    world: World
    log: bytes
    metrics: bytes
    said: list[Said]

    def of(self, kind: str) -> list[Said]:
        """Return the records of a type's topic."""
        topic = self.site.settings.topic_of(kind)
        return [one for one in self.said if one.topic == topic]

    def in_redis(self) -> set[bytes]:
        """Return the keys that name a canary."""
        settings = self.site.settings
        with redis_client.connect_sync(settings) as client:
            return in_redis(client, settings.redis_prefix)


def tell(kafka: Kafka, redis_url: str, directory: Path, key: str | None) -> Told:
    """Run the world through a worker that logs all it can."""
    site = new_site(kafka, redis_url, directory, partitions=2, log_level="DEBUG", pseudonym_key=key)
    site.create_topics(arrival_time=False)
    start_ms = time.time_ns() // 1_000_000 - AGO_MS
    world = make_world(
        start_ms=start_ms, rate=20.0, viewers=200, sessions=2, warm_up_s=200.0, duration_s=10.0,
        bad_share=0.01,
    )  # fmt: skip
    site.feed(marked(world.records))
    misplace(site, start_ms)
    site.feed(clock_events(start_ms + 300_000, 2))
    with site.worker() as worker:
        worker.ready(2)
        site.settle()
        metrics = worker.metrics_text()
        assert worker.stop() == 0
    topics = [*site.output_topics, *map(site.settings.topic_of, ("state", "window-totals"))]
    return Told(site, world, worker.log.read_bytes(), metrics, site.read(*topics))


@pytest.fixture(scope="module")
def plain(kafka: Kafka, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Tell the world without a key."""
    return tell(kafka, redis_url, tmp_path_factory.mktemp("plain"), None)


@pytest.fixture(scope="module")
def veiled(kafka: Kafka, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Tell the world with a key."""
    return tell(kafka, redis_url, tmp_path_factory.mktemp("veiled"), KEY)


@pytest.mark.parametrize("which", ["plain", "veiled"])
def test_neither_logs_nor_metrics_name_anybody(which: str, request: pytest.FixtureRequest) -> None:
    """A worker at DEBUG, fed with bad records too, logs and counts without naming anybody."""
    told: Told = request.getfixturevalue(which)
    assert b'"level":"debug"' in told.log
    assert b"livepulse_dead_letters_total{" in told.metrics
    assert MARKER not in told.log
    assert MARKER not in told.metrics
    assert pseudonym(KEY, MISPLACED).encode() not in told.log


def test_without_a_key_results_name_the_viewers(plain: Told) -> None:
    """The search finds what is there: a search that finds nothing proves something."""
    topic = plain.site.settings.topic_of
    found = in_records(plain.said)
    assert found >= {topic("state"), topic("Decision"), topic("DeadLetter")}
    assert plain.in_redis()


def test_with_a_key_only_dead_letters_do(veiled: Told) -> None:
    """State, results and Redis name nobody; a dead letter holds the raw record, on purpose."""
    settings = veiled.site.settings
    assert in_records(veiled.said) == {settings.topic_of("DeadLetter")}
    assert veiled.in_redis() == set()


def test_who_has_the_key_knows_whom_a_trigger_is_for(veiled: Told) -> None:
    """Each is for a known viewer, in the partition of the raw id, keyed by the pseudonym."""
    events = veiled.world.good()
    viewers = {f"canary-{e['viewer_id']}" for e in events if "viewer_id" in e}
    known = {pseudonym(KEY, viewer).encode(): viewer for viewer in viewers}
    triggers = [*veiled.of("CouponTrigger"), *veiled.of("RecommendationTrigger")]
    assert triggers
    for one in triggers:
        assert one.key is not None
        assert msgspec.json.decode(one.value or b"")["viewer_id"].encode() == one.key
        assert one.partition == partition_of(known[one.key], 2)


def test_pseudonyms_change_no_number(plain: Told, veiled: Told) -> None:
    """Dead letters are as many, each for the same reason, the misplaced comment among them."""
    reasons = [
        sorted(letter.reason for letter in decoded(told.of("DeadLetter"), DeadLetter))
        for told in (plain, veiled)
    ]
    assert reasons[0] == reasons[1]
    assert len(reasons[0]) == len(veiled.world.broken) + 1
    raw = [base64.b64decode(one.raw) for one in decoded(veiled.of("DeadLetter"), DeadLetter)]
    assert any(MISPLACED.encode() in one for one in raw)
