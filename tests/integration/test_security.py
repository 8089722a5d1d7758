"""livepulse on a Kafka and a Redis that let nobody in, with exactly the documented permissions."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from kafka.errors import GroupAuthorizationFailedError
from msgspec import structs
from redis.exceptions import NoPermissionError

from agents import redis_client
from agents.acls import REDIS_USERS, acls, principal
from agents.admin import Refused, Unreachable, open_admin
from agents.consumer import TriggerConsumer
from agents.doctor import permissions
from agents.simulator.sending import SendingError
from agents.views.keys import Keys
from agents.views.reading import read_sessions, read_triggers
from agents.views.writer import Views
from schemas.results import ChurnRow
from tests.agents.command_line import CommandLine
from tests.integration.house import House, as_user
from tests.integration.outcome import Outcome, assert_counts, outcome, wait_counted
from tests.integration.secure_kafka import SecureKafka
from tests.integration.secure_redis import SecureRedis
from tests.integration.world import World, clock_events, make_world

pytestmark = pytest.mark.kafka

AGO_MS = 400_000


@pytest.fixture
def house(secure_kafka: SecureKafka, secure_redis: SecureRedis, tmp_path: Path) -> House:
    """Give a deployment with users that may do nothing yet."""
    return House(secure_kafka, secure_redis, tmp_path)


# --- exactly what is documented suffices -----------------------------------------------------


class Lived(NamedTuple):
    """A house in which a world was played, and what came of it."""

    house: House
    world: World
    found: Outcome
    log: str


@pytest.fixture(scope="module")
def lived(
    secure_kafka: SecureKafka,
    secure_redis: SecureRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lived:
    """Play a world: one half over SASL_SSL, the other, by a worker that restores, over mTLS."""
    house = House(secure_kafka, secure_redis, tmp_path_factory.mktemp("lived"))
    house.grant(acls(house.settings))
    house.as_role("admin").create_topics(arrival_time=False)
    start_ms = time.time_ns() // 1_000_000 - AGO_MS
    world = make_world(
        start_ms=start_ms, rate=30.0, viewers=300, sessions=2, warm_up_s=240.0, duration_s=10.0
    )
    half = len(world.records) // 2
    root = house.as_root()
    house.as_role("producer", "SSL").feed(world.records[:half])
    with house.as_role("worker", "SASL_SSL").worker() as first:
        first.ready(house.settings.partitions)
        root.settle()
        assert first.stop() == 0
    later = clock_events(start_ms + 300_000, house.settings.partitions)
    house.as_role("producer", "SASL_SSL").feed([*world.records[half:], *later])
    with house.as_role("worker", "SSL").worker() as second:
        second.ready(house.settings.partitions)
        wait_counted(root, world)
        assert second.stop() == 0
    log = first.log.read_text() + second.log.read_text()
    return Lived(house, world, outcome(root), log)


def test_nothing_is_lost_or_doubled_over_tls(lived: Lived) -> None:
    """The rows are those of a plain count, whichever way the worker came in."""
    assert_counts(lived.world, lived.found)
    assert {type(one).__name__ for one in lived.found.triggers.values()} == {
        "CouponTrigger", "RecommendationTrigger",
    }  # fmt: skip


def test_redis_denies_the_worker_nothing(lived: Lived) -> None:
    """Views were written and budgets asked without one failure."""
    assert "Redis fails" not in lived.log


def test_the_screen_reads_and_may_not_write(lived: Lived) -> None:
    """Its Redis user sees sessions and triggers, and is refused a write."""
    keys = Keys(lived.house.settings.redis_prefix)
    with redis_client.connect_sync(lived.house.as_screen()) as client:
        sessions = [view.session_id for view in read_sessions(client, keys=keys)]
        shown = {t.trigger_id for s in sessions for t in read_triggers(client, s, keys=keys)}
        assert shown
        assert shown <= lived.found.triggers.keys()
        with pytest.raises(NoPermissionError):
            client.set(keys.sessions, b"x")


def test_a_consumer_reads_the_triggers(lived: Lived) -> None:
    """The kit hands over every trigger to a user who may read these two topics only."""
    settings = lived.house.as_role("consumer").settings
    group = principal(settings, "consumer")
    with TriggerConsumer(settings, group=group, clock=lambda: 0.0) as triggers:
        got = {one.trigger_id for _, one in zip(lived.found.triggers, triggers, strict=False)}
    assert got == lived.found.triggers.keys()


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """Give a command line."""
    return CommandLine(monkeypatch, capsys, tmp_path)


def test_tail_reads_what_the_consumer_may(lived: Lived, shell: CommandLine) -> None:
    """One coupon is shown; decisions, which the user may not read, are refused by name."""
    as_user(shell, lived.house.as_role("consumer", "SSL").settings)
    shown = shell.run("tail", "coupons", "--from-start", "--count", "1", "--json")
    assert json.loads(shown.out)["trigger_id"] in lived.found.triggers
    denied = shell.run("tail", "decisions", "--from-start", "--count", "1")
    assert denied.code == 1
    assert "may not read it" in denied.err


def test_admin_creates_topics_and_the_doctor_is_content(house: House, shell: CommandLine) -> None:
    """The admin's Kafka user makes all topics; doctor finds nothing that failed."""
    house.grant(acls(house.settings))
    as_user(shell, house.as_role("admin").settings)
    created = json.loads(shell.run("topics", "create", "--json").out)
    assert len(created["created"]) == len(set(house.topics()))
    assert shell.run("doctor", "--json").code == 0


def test_the_doctor_of_a_worker_warns_of_what_it_may_not_see(
    lived: Lived, shell: CommandLine
) -> None:
    """A worker may not read configurations: that is said, and is no failure."""
    as_user(shell, lived.house.as_role("worker").settings)
    checks = json.loads(shell.run("doctor", "--json").out)["checks"]
    assert {c["name"]: c["status"] for c in checks} == {
        "settings": "ok", "broker": "ok", "topics": "warn", "partitions": "ok",
        "broker limits": "skipped", "redis": "ok", "redis memory": "ok", "clock": "ok",
    }  # fmt: skip


# --- every single one of them is needed -----------------------------------------------------

NEEDED = [
    ("topic", "CartAdded", "Read"),
    ("topic", "SessionStarted", "Read"),
    ("topic", "state", "Read"),
    ("topic", "state", "Write"),
    ("topic", "window-totals", "Read"),
    ("topic", "window-totals", "Write"),
    ("topic", "RecommendationTrigger", "Write"),
    ("topic", "DeadLetter", "Write"),
    ("group", "", "Read"),
]


@pytest.mark.parametrize(("resource", "kind", "operation"), NEEDED)
def test_a_worker_without_one_permission_says_which(
    house: House, resource: str, kind: str, operation: str
) -> None:
    """Before it starts, it names the operation and the resource, and the command that mends it."""
    name = house.settings.topic_of(kind) if kind else house.settings.app_id
    house.grant(house.all_but("worker", resource, name, operation))
    house.as_role("admin").create_topics()
    with pytest.raises(Refused) as refused:
        permissions.require(house.as_role("worker").settings, "worker")
    assert f"denies this user {operation} on {resource} {name} " in str(refused.value)
    assert f"--operation {operation} --{resource} {name}" in str(refused.value)


def test_a_worker_with_all_permissions_is_let_in(house: House) -> None:
    """The same question is answered with nothing where nothing is taken away."""
    house.grant(acls(house.settings))
    house.as_role("admin").create_topics()
    permissions.require(house.as_role("worker", "SSL").settings, "worker")


@pytest.mark.parametrize(
    ("resource", "operation", "said"),
    [
        ("group", "Read", "denies this user Read on group"),
        ("transactional-id", "Write", "TransactionalIdAuthorizationFailed"),
    ],
)
def test_the_process_ends_and_says_why(
    house: House, resource: str, operation: str, said: str
) -> None:
    """A worker that may not join its group, or not write its transactions, does not wait."""
    name = house.settings.app_id + ("-" if resource == "transactional-id" else "")
    house.grant(house.all_but("worker", resource, name, operation))
    house.as_role("admin").create_topics()
    with house.as_role("worker").worker() as worker:
        assert worker.exit_code(limit_s=60) == 1
    assert said in worker.log.read_text()


def test_an_admin_without_create_is_told(house: House, shell: CommandLine) -> None:
    """The topic is named, and the exit code is that of a failure."""
    topic = house.settings.topic_of("CartAdded")
    house.grant(house.all_but("admin", "topic", topic, "Create"))
    outcome = as_user(shell, house.as_role("admin").settings).run("topics", "create")
    assert outcome.code == 1
    assert "refused" in outcome.err
    assert topic in outcome.err


def test_a_producer_without_write_is_told(house: House) -> None:
    """The topic is named."""
    topic = house.settings.topic_of("CommentPosted")
    house.grant(house.all_but("producer", "topic", topic, "Write"))
    house.as_role("admin").create_topics()
    with pytest.raises(SendingError, match=f"{topic}.*authorization failed"):
        house.as_role("producer").feed(clock_events(time.time_ns() // 1_000_000, 1))


def test_a_consumer_without_its_group_is_told(house: House) -> None:
    """The group is named."""
    settings = house.as_role("consumer").settings
    group = principal(settings, "consumer")
    house.grant(house.all_but("consumer", "group", group, "Read"))
    house.as_role("admin").create_topics()
    with (
        TriggerConsumer(settings, group=group) as triggers,
        pytest.raises(GroupAuthorizationFailedError, match=group),
    ):
        next(iter(triggers))


def test_a_consumer_without_its_topic_is_told(house: House) -> None:
    """The topic is named, instead of silence for ever."""
    topic = house.settings.topic_of("CouponTrigger")
    house.grant(house.all_but("consumer", "topic", topic, "Read"))
    house.as_role("admin").create_topics()
    with pytest.raises(Refused, match=f"{topic}, or this user may not read it"):
        TriggerConsumer(house.as_role("consumer").settings, group="any")


async def test_redis_without_one_command_is_told_by_name(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which command Redis denies, and not of whom it spoke."""
    worker = REDIS_USERS[0]
    fewer = tuple(command for command in worker.commands if command != "zadd")
    house.redis.enrol(house.settings, [structs.replace(worker, commands=fewer)])
    client = redis_client.connect(house.as_role("worker").settings)
    views = Views(client, Keys(house.settings.redis_prefix), on_recovered=lambda: None)
    risk = ChurnRow(
        session_id="s", viewer_id="canary", ts=1, probability=0.5, level="high", reasons=(),
        cart_value=0, watch_s=0,
    )  # fmt: skip
    views.offer(churn=[risk])
    await views.stop()
    await client.aclose()
    assert "zadd" in caplog.text
    assert "canary" not in caplog.text


# --- who are you ------------------------------------------------------------------------------


def test_a_wrong_password_is_told(house: House) -> None:
    """The settings to look at are named."""
    settings = structs.replace(house.as_role("admin").settings, kafka_sasl_password="wrong")
    with pytest.raises(Unreachable, match="SASL"), open_admin(settings):
        pass


def test_no_certificate_is_told(house: House) -> None:
    """The settings to look at are named."""
    settings = house.as_role("admin", "SSL").settings
    bare = structs.replace(settings, kafka_ssl_cert_file=None, kafka_ssl_key_file=None)
    with pytest.raises(Unreachable, match="TLS settings"), open_admin(bare):
        pass
