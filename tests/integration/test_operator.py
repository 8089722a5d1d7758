"""The operator's commands and the consumer kit on a real Kafka and a real Redis."""

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import kafka
import msgspec
import pytest
import redis
from confluent_kafka import Producer

from agents.admin import existing, open_admin
from agents.consumer import TriggerConsumer
from agents.settings import Settings
from agents.topics import topics
from schemas.results import CouponTrigger
from tests.agents.command_line import CommandLine
from tests.integration.cluster import until
from tests.integration.kafka import Kafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka: Kafka, redis_url: str) -> Settings:
    """Give settings whose topics no other test uses."""
    prefix = f"operator-{uuid.uuid4().hex[:8]}."
    return Settings(kafka_bootstrap=kafka.bootstrap, redis_url=redis_url, topic_prefix=prefix)


@pytest.fixture
def shell(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> CommandLine:
    """Give a command line with these settings."""
    shell = CommandLine(monkeypatch, capsys, tmp_path)
    shell.set(
        kafka_bootstrap=settings.kafka_bootstrap,
        redis_url=settings.redis_url,
        topic_prefix=settings.topic_prefix,
    )
    return shell


def names(settings: Settings) -> list[str]:
    """Return the names of all topics."""
    return [spec.name for spec in topics(settings)]


def made(settings: Settings, **configs: dict[str, Any]) -> None:
    """Make every topic, with other values for those that are named by type."""
    wanted = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": 1,
            "configs": spec.config,
        }
        for spec in topics(settings)
    }
    for name, changed in configs.items():
        wanted[settings.topic_of(name)] |= changed
    with open_admin(settings) as admin:
        admin.create_topics(wanted, wait_for_metadata=True)


def coupon(number: int) -> CouponTrigger:
    """Return a coupon that is valid for a minute from now."""
    return CouponTrigger(
        trigger_id=f"t{number}", session_id="s", viewer_id="v", rule="r", cause_id="c",
        decided_at=1, expires_at=int(time.time() * 1000) + 60_000, reasons=(), policy_version="1",  # noqa: TID251 - the consumer's clock is the real one
        offer_id="o", kind="amount_off", value=1, discount=1, minimum_spend=0, currency="CNY",
        products=(),
    )  # fmt: skip


def publish(
    settings: Settings, *triggers: CouponTrigger, commit: bool = True, age_s: float = 0
) -> None:
    """Publish in one transaction, which is committed or aborted; some time ago, if need be."""
    at_ms = time.time_ns() // 1_000_000 - round(age_s * 1_000)
    producer = Producer(
        settings.confluent_config() | {"transactional.id": f"{settings.topic_prefix}{commit}"}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for trigger in triggers:
        topic = settings.topic_of("CouponTrigger")
        producer.produce(
            topic, msgspec.json.encode(trigger), key=trigger.viewer_id, timestamp=at_ms
        )
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


# --- topics ----------------------------------------------------------------------------------


def test_dry_run_creates_nothing(shell: CommandLine, settings: Settings) -> None:
    """The broker validates every topic and makes none."""
    outcome = shell.run("topics", "create", "--dry-run", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["created"] == names(settings)
    with open_admin(settings) as admin:
        assert existing(admin, names(settings)) == {}


def test_create_makes_all_topics_once(shell: CommandLine, settings: Settings) -> None:
    """The second time all exist, nothing differs, and the doctor is content."""
    assert json.loads(shell.run("topics", "create", "--json").out)["created"] == names(settings)
    again = shell.run("topics", "create", "--json")
    assert again.code == 0
    assert json.loads(again.out) == {
        "dry_run": False,
        "created": [],
        "existing": names(settings),
        "differing": [],
    }
    healthy = shell.run("doctor", "--json")
    assert healthy.code == 0
    assert {check["status"] for check in json.loads(healthy.out)["checks"]} == {"ok"}


def test_topics_are_made_with_their_configuration(shell: CommandLine, settings: Settings) -> None:
    """The broker has each value of the table."""
    from kafka.admin import ConfigResource  # noqa: PLC0415 - slow, and only for this test

    assert shell.run("topics", "create").code == 0
    specs = topics(settings)
    with open_admin(settings) as admin:
        resources = [ConfigResource("TOPIC", spec.name, dict(spec.config)) for spec in specs]
        described = admin.describe_configs(resources, config_filter="all")["topic"]
    for spec in specs:
        values = {key: entry["value"] for key, entry in described[spec.name].items()}
        assert values == spec.config


def test_differing_topics_are_reported_and_left_alone(
    shell: CommandLine, settings: Settings
) -> None:
    """Exit code 3 and the mending command; nothing is changed and nothing is deleted."""
    made(settings, state={"configs": {"cleanup.policy": "delete"}}, CartAdded={"num_partitions": 2})
    outcome = shell.run("topics", "create", "--json")
    assert outcome.code == 3
    report = json.loads(outcome.out)
    assert report["created"] == []
    assert {(item["topic"], item["kind"]) for item in report["differing"]} == {
        (settings.topic_of("state"), "cleanup"),
        (settings.topic_of("CartAdded"), "partitions"),
    }
    with open_admin(settings) as admin:
        found = existing(admin, names(settings))
    assert found[settings.topic_of("state")].cleanup == "delete"
    assert found[settings.topic_of("CartAdded")].partitions == 2


def test_what_the_broker_refuses_is_told_once(shell: CommandLine) -> None:
    """One line with the broker's own reason, not a dump of the request."""
    shell.set(replication_factor="3")
    outcome = shell.run("topics", "create")
    assert outcome.code == 1
    assert outcome.err.count("replicat") >= 1
    assert outcome.err.count("Unable to replicate") <= 1
    assert outcome.err.count("\n") == 1


# --- doctor ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configs", "code", "mend"),
    [
        ({"state": {"configs": {"cleanup.policy": "delete"}}}, 12, "cleanup.policy=[compact]"),
        ({"CartAdded": {"num_partitions": 2}}, 13, "--partitions 4"),
    ],
)
def test_doctor_finds_topics_that_are_made_wrong(
    shell: CommandLine, settings: Settings, configs: dict[str, Any], code: int, mend: str
) -> None:
    """The exit code says what differs, the text how to mend it."""
    made(settings, **configs)
    outcome = shell.run("doctor")
    assert outcome.code == code
    assert mend in outcome.out


@contextmanager
def redis_config(url: str, **values: str) -> Iterator[None]:
    """Run the block with these values in Redis, then put the old ones back."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        names = {name: name.replace("_", "-") for name in values}
        before = {key: client.config_get(key)[key] for key in names.values()}
        for name, value in values.items():
            client.config_set(names[name], value)
        try:
            yield
        finally:
            for key, value in before.items():
                client.config_set(key, value)


def test_doctor_finds_a_redis_that_may_evict_budgets(
    shell: CommandLine, settings: Settings
) -> None:
    """With a memory limit and an eviction policy, coupon budgets could be spent twice."""
    made(settings)
    with redis_config(settings.redis_url, maxmemory="100mb", maxmemory_policy="allkeys-lru"):
        outcome = shell.run("doctor")
    assert outcome.code == 14
    assert "maxmemory-policy noeviction" in outcome.out


# --- tail ------------------------------------------------------------------------------------


def test_tail_shows_committed_records_only(shell: CommandLine, settings: Settings) -> None:
    """What was aborted was never said; what is shown is the record's own JSON."""
    made(settings)
    publish(settings, coupon(1), commit=False)
    committed = coupon(2)
    publish(settings, committed)
    outcome = shell.run("tail", "coupons", "--from-start", "--count", "1", "--json")
    assert outcome.code == 0
    assert outcome.out.encode() == msgspec.json.encode(committed) + b"\n"


@pytest.mark.parametrize("begin", [["--since", "1h"], ["--from-start"]])
def test_tail_ends_at_the_end(shell: CommandLine, settings: Settings, begin: list[str]) -> None:
    """It waits for nothing new, though what it read last was a transaction's marker."""
    made(settings)
    publish(settings, coupon(1))
    publish(settings, coupon(2))
    publish(settings, coupon(3), commit=False)
    outcome = shell.run("tail", "coupons", "--to-end", "--json", *begin)
    assert (outcome.code, outcome.out.count("trigger_id")) == (0, 2)


def test_tail_goes_back_by_time(shell: CommandLine, settings: Settings) -> None:
    """What was published before is left out."""
    made(settings)
    publish(settings, coupon(1), age_s=3_600)
    newest = coupon(2)
    publish(settings, newest)
    outcome = shell.run("tail", "coupons", "--since", "30m", "--to-end", "--json")
    assert outcome.out.encode() == msgspec.json.encode(newest) + b"\n"


def test_tail_of_a_missing_topic_names_the_command_that_makes_it(shell: CommandLine) -> None:
    """The topic is not created by being looked at."""
    outcome = shell.run("tail", "churn")
    assert outcome.code == 1
    assert "livepulse topics create" in outcome.err


@pytest.mark.usefixtures("shell")  # sets the environment that the child inherits
def test_tail_follows_from_now_on_and_ends_on_ctrl_c(settings: Settings, tmp_path: Path) -> None:
    """Old records are left out, the new one comes, and an interrupt ends it without a word."""
    made(settings)
    publish(settings, coupon(1))
    with subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "tail", "coupons", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "from now" in process.stderr.readline()
        publish(settings, coupon(2))
        assert json.loads(process.stdout.readline())["trigger_id"] == "t2"
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()  # where background jobs ignore an interrupt, it would go on for ever
        assert process.stderr.read() == ""


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Interrupt kafka-python in the midst of each poll; lists the polls that came to their end."""
    ended: list[str] = []
    poll = kafka.KafkaConsumer.poll

    def interrupted(consumer: kafka.KafkaConsumer, **options: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        records = poll(consumer, **options)
        ended.append(consumer.config["client_id"])
        return records

    monkeypatch.setattr(kafka.KafkaConsumer, "poll", interrupted)
    return ended


def test_an_interrupt_of_tail_waits_for_its_poll(
    settings: Settings, shell: CommandLine, polled: list[str]
) -> None:
    """kafka-python would leave a lock taken, and tail would wait for it in closing."""
    made(settings)
    assert shell.run("tail", "coupons").code == 130
    assert polled == [f"{settings.app_id}-tail"]


def test_an_interrupt_of_the_consumer_kit_waits_for_its_poll(
    settings: Settings, polled: list[str]
) -> None:
    """The same in a service of others: it gets its interrupt, and closes."""
    made(settings)
    group = f"{settings.topic_prefix}crm"
    with (
        pytest.raises(KeyboardInterrupt),
        TriggerConsumer(settings, group=group, poll_ms=100) as triggers,
    ):
        next(iter(triggers))
    assert polled == [f"{group}-triggers"]


# --- the consumer kit --------------------------------------------------------------------------


def crm(settings: Settings) -> TriggerConsumer:
    """Return a consumer in the group of this test."""
    return TriggerConsumer(settings, group=f"{settings.topic_prefix}crm", poll_ms=100)


def take(settings: Settings, count: int) -> list[str]:
    """Handle so many triggers in the group of this test, and leave before the next."""
    handled: list[str] = []
    with crm(settings) as triggers:
        for trigger in triggers:
            if len(handled) == count:
                break
            handled.append(trigger.trigger_id)
    return handled


def test_next_consumer_goes_on_after_the_last_that_was_handled(settings: Settings) -> None:
    """Nothing that was handled comes again, nothing that was not is lost, nothing aborted comes."""
    made(settings)
    publish(settings, coupon(9), commit=False)
    publish(settings, coupon(1), coupon(2), coupon(2), coupon(3), coupon(4), coupon(5))
    assert take(settings, 2) == ["t1", "t2"]
    assert take(settings, 2) == ["t3", "t4"]


def test_who_tries_again_after_an_error_handles_each_trigger_once(settings: Settings) -> None:
    """The trigger at which the handler fails is the next one, with all that was fetched with it."""
    made(settings)
    publish(settings, *map(coupon, range(6)))
    with crm(settings) as triggers:
        handled: list[str] = []
        with suppress(ConnectionError):
            for trigger in triggers:
                if trigger.trigger_id == "t1":
                    raise ConnectionError
                handled.append(trigger.trigger_id)
        publish(settings, coupon(6))
        for trigger in triggers:
            handled.append(trigger.trigger_id)
            if trigger.trigger_id == "t6":
                break
    assert handled == [f"t{number}" for number in range(7)]


def test_a_consumer_goes_on_after_a_break(settings: Settings) -> None:
    """Its next loop begins with the trigger at which the last one ended; so does its successor."""
    made(settings)
    publish(settings, *map(coupon, range(3)))
    with crm(settings) as triggers:
        assert next(iter(triggers)).trigger_id == "t0"
        publish(settings, coupon(3))
        loop = iter(triggers)
        assert next(loop).trigger_id == "t0"
        assert [next(loop).trigger_id for _ in range(2)] == ["t1", "t2"]
    assert take(settings, 1) == ["t2"]


def test_what_waits_in_a_consumer_goes_with_its_group(settings: Settings) -> None:
    """Thrown out of the group, it hands out nothing that the new owner of the partition has."""
    made(settings)
    publish(settings, *map(coupon, range(6)))
    with crm(settings) as triggers:
        loop = iter(triggers)
        assert [next(loop).trigger_id for _ in range(2)] == ["t0", "t1"]
        thrown_out(settings, triggers)
        publish(settings, coupon(6))
        assert take(settings, 6) == [f"t{number}" for number in range(6)]
        assert next(loop).trigger_id == "t6"


def thrown_out(settings: Settings, triggers: TriggerConsumer) -> None:
    """Let the broker throw a consumer out of its group, and the consumer hear of it."""
    from kafka.admin import MemberToRemove  # noqa: PLC0415 - slow, and only for this test

    client = triggers._consumer
    me = client.group_metadata()
    with open_admin(settings) as admin:
        admin.remove_group_members(me.group_id, [MemberToRemove(member_id=me.member_id)])
    until(lambda: "out of the group", lambda: client.group_metadata().generation_id < 0)
