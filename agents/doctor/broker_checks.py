"""Whether a Kafka is as livepulse needs it: copies, retention, sizes, transactions, clock."""

from collections.abc import Iterator, Sequence

from agents.doctor import checks
from agents.doctor.broker_facts import BrokerFacts, TopicFacts
from agents.doctor.checks import Check
from agents.engine.transaction import BATCH_BYTES, TIMEOUT_MS
from agents.topics import TopicSpec

_DAY_MS = 24 * 3_600_000
#: A task waits this long for late events, so a clock that is further off is a real fault.
SKEW_S = 2.0
_LIMITS = "broker limits"


def judge(specs: Sequence[TopicSpec], facts: BrokerFacts, *, bootstrap: str) -> Iterator[Check]:
    """Yield what is wrong, and what is right when nothing of a kind is wrong."""
    found = [
        check
        for spec in specs
        if spec.name in facts.topics
        for check in _topic(spec, facts.topics[spec.name], facts, bootstrap=bootstrap)
    ]
    yield from found
    if facts.topics and not found:
        yield checks.ok("topics", "with the right copies, retention, times and sizes")
    yield from _own(facts, copies=max((spec.replication for spec in specs), default=1))
    if facts.clock_ahead_s is not None:
        yield clock(facts.clock_ahead_s, "Kafka")


def _topic(
    spec: TopicSpec, topic: TopicFacts, facts: BrokerFacts, *, bootstrap: str
) -> Iterator[Check]:
    def alter(key: str, value: object) -> str:
        return (
            f"kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics"
            f" --entity-name {spec.name} --add-config {key}={value}"
        )

    yield from _copies(spec, topic, facts)
    wanted, found = int(spec.config["min.insync.replicas"]), _number(topic, "min.insync.replicas")
    if found < min(wanted, topic.replication):
        yield _wrong(
            f"{spec.name} has min.insync.replicas={found}, must have {wanted}: what one broker"
            " alone has written is lost with it",
            mend=alter("min.insync.replicas", wanted),
        )
    if found >= topic.replication > 1:
        yield _wrong(
            f"{spec.name} has min.insync.replicas={found} of {topic.replication} copies: commits"
            " stop when one broker restarts",
            mend=alter("min.insync.replicas", topic.replication - 1),
        )
    yield from _retention(spec, topic, alter("retention.ms", spec.config.get("retention.ms")))
    largest = int(spec.config.get("max.message.bytes", BATCH_BYTES))
    if _number(topic, "max.message.bytes") < largest:
        yield _wrong(
            f"{spec.name} has max.message.bytes={topic.config['max.message.bytes']}, must have at"
            f" least {largest}: a larger batch ends the worker",
            mend=alter("max.message.bytes", largest),
        )
    times = spec.config.get("message.timestamp.type")
    if times is not None and topic.config["message.timestamp.type"] != times:
        yield checks.warn(
            "topics",
            f"{spec.name} has message.timestamp.type={topic.config['message.timestamp.type']}:"
            " clocks of producers decide what is too old, and what is deleted",
            mend=alter("message.timestamp.type", times),
        )


def _copies(spec: TopicSpec, topic: TopicFacts, facts: BrokerFacts) -> Iterator[Check]:
    if topic.replication < spec.replication:
        yield _wrong(
            f"{spec.name} has {topic.replication} copies, must have {spec.replication}",
            mend="kafka-reassign-partitions.sh with more replicas, or LIVEPULSE_REPLICATION_FACTOR"
            f"={topic.replication}",
        )
    elif topic.replication == 1 < facts.brokers:
        yield checks.warn(
            "topics", f"{spec.name} has one copy, though there are {facts.brokers} brokers",
            mend="LIVEPULSE_REPLICATION_FACTOR=3 before `livepulse topics create`; for topics that"
            " exist, kafka-reassign-partitions.sh",
        )  # fmt: skip


def _retention(spec: TopicSpec, topic: TopicFacts, mend: str) -> Iterator[Check]:
    wanted = spec.config.get("retention.ms")
    kept_ms = _number(topic, "retention.ms")
    if wanted is None or kept_ms < 0 or kept_ms >= int(wanted):
        return
    detail = f"{spec.name} keeps {_span(kept_ms)}, must keep {_span(int(wanted))}"
    if kept_ms < _DAY_MS:
        yield _wrong(f"{detail}: records are deleted before a late worker reads them", mend=mend)
    else:
        yield checks.warn("topics", detail, mend=mend)


def _own(facts: BrokerFacts, *, copies: int) -> Iterator[Check]:
    """Look at the settings of the brokers themselves."""
    config = facts.config
    if config is None:
        yield checks.skipped(_LIMITS, "this user may not see the settings of the brokers")
        return
    wrong = list(_transactions(config, copies=copies))
    yield from wrong
    if not wrong:
        yield checks.ok(_LIMITS, "as transactions need them")


def _transactions(config: dict[str, str], *, copies: int) -> Iterator[Check]:
    limit = int(config["transaction.max.timeout.ms"])
    if limit < TIMEOUT_MS:
        yield checks.failed(
            _LIMITS, f"transaction.max.timeout.ms={limit}: a worker asks for {TIMEOUT_MS}",
            mend=f"transaction.max.timeout.ms={TIMEOUT_MS} in server.properties, on every broker",
            exit_code=checks.BROKER,
        )  # fmt: skip
    factor = int(config["transaction.state.log.replication.factor"])
    in_sync = int(config["transaction.state.log.min.isr"])
    if in_sync > factor:
        yield checks.failed(
            _LIMITS,
            f"transaction.state.log.min.isr={in_sync} of {factor} copies: no transaction can begin",
            mend="transaction.state.log.min.isr below transaction.state.log.replication.factor",
            exit_code=checks.BROKER,
        )
    for name in ("transaction.state.log", "offsets.topic"):
        has = int(config[f"{name}.replication.factor"])
        if has < copies:
            yield checks.warn(
                _LIMITS, f"{name}.replication.factor={has}, though topics have {copies} copies",
                mend=f"{name}.replication.factor={copies} in server.properties before the first"
                " start; for a topic that exists, kafka-reassign-partitions.sh",
            )  # fmt: skip


def clock(ahead_s: float, whose: str) -> Check:
    """Judge this machine's clock against another's, in seconds ahead."""
    if abs(ahead_s) <= SKEW_S:
        return checks.ok("clock", f"within {SKEW_S:g} s of the clock of {whose}")
    direction = "ahead of" if ahead_s > 0 else "behind"
    detail = f"{abs(ahead_s):.1f} s {direction} the clock of {whose}"
    return checks.warn("clock", detail, mend="synchronise both with NTP")


def _wrong(detail: str, *, mend: str) -> Check:
    return checks.failed("topics", detail, mend=mend, exit_code=checks.TOPICS)


def _number(topic: TopicFacts, key: str) -> int:
    return int(topic.config[key])


def _span(ms: int) -> str:
    hours = ms / 3_600_000
    return f"{hours:g} h" if hours < 2 * 24 else f"{hours / 24:g} days"
