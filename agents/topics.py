"""Every topic, how it must be made, and why: one table.

Partition number p of every topic belongs to task p, so all have the same number of partitions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from schemas.events import TOPICS
from schemas.results import RESULT_TYPES

if TYPE_CHECKING:  # settings.py needs the names below at runtime
    from agents.settings import Settings

_DAY_MS = 24 * 3_600_000
_MIB = 1 << 20
_WEEK = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}
_ARRIVAL_TIME = {"message.timestamp.type": "LogAppendTime"}
_LARGE = {"max.message.bytes": str(4 * _MIB)}
_SMALL_SEGMENTS = {"segment.bytes": str(64 * _MIB), "segment.ms": "600000"}


class Family(Struct, frozen=True, kw_only=True):
    """Types whose topics are made alike, and may therefore share one."""

    name: str
    types: tuple[str, ...]
    config: dict[str, str]
    why: str


class TopicSpec(Struct, frozen=True, kw_only=True):
    """One topic as it must be: what it carries, how it is made, why so."""

    name: str
    family: str
    types: tuple[str, ...]
    partitions: int
    replication: int
    config: dict[str, str]
    why: str


def _event_types(*topics: str) -> tuple[str, ...]:
    return tuple(event.__name__ for topic in topics for event in TOPICS[topic])


FAMILIES = (
    Family(
        name="viewer events",
        types=_event_types(*(t for t in TOPICS if t not in {"live.host", "live.erasures"})),
        config=_WEEK | _ARRIVAL_TIME | _LARGE,
        why=(
            "the broker's own time, since a producer's clock must not decide what is deleted;"
            " a week to replay; 4 MiB, so that an oversized record arrives and is reported"
        ),
    ),
    Family(
        name="host events",
        types=_event_types("live.host"),
        config=_WEEK | _ARRIVAL_TIME | _LARGE,
        why="as viewer events, but keyed by session and read whole by every task, so kept apart",
    ),
    Family(
        name="erasures",
        types=_event_types("live.erasures"),
        config=_WEEK | _ARRIVAL_TIME,
        why=(
            "as viewer events, but who may write here may make us forget, so kept apart; a week,"
            " since the orders name who was erased"
        ),
    ),
    Family(
        name="decisions",
        types=("CouponTrigger", "RecommendationTrigger", "ChurnRow", "Decision"),
        config=_WEEK,
        why="facts, each said once: nothing newer replaces them, a week to read them",
    ),
    Family(
        name="conversion",
        types=("ConversionRow",),
        config=_WEEK | {"cleanup.policy": "compact,delete"} | _SMALL_SEGMENTS,
        why=(
            "a newer revision of a row replaces it (compact); rows of ended sessions get no"
            " tombstone, so a week bounds the topic (delete)"
        ),
    ),
    Family(
        name="dead letters",
        types=("DeadLetter",),
        config=_WEEK,
        why="as long as the records that they point at",
    ),
    Family(
        name="state",
        types=("state",),
        config={
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.1",
            "min.compaction.lag.ms": "60000",
            "max.compaction.lag.ms": str(_DAY_MS),
        }
        | _SMALL_SEGMENTS
        | {"segment.bytes": str(16 * _MIB)}
        | _LARGE,
        why=(
            "the changelog of the tasks: never deleted by age; small segments compacted early"
            " keep a restore short; a minute of lag leaves the tail alone while a new owner reads;"
            " and within a day what was erased is gone from the log"
        ),
    ),
    Family(
        name="window totals",
        types=("window-totals",),
        config={
            "cleanup.policy": "compact,delete",
            "retention.ms": str(7 * _DAY_MS),
            "min.cleanable.dirty.ratio": "0.1",
        }
        | _SMALL_SEGMENTS
        | _LARGE,
        why=(
            "the newest running total replaces the older ones (compact); nothing changes a pane"
            " after two days (24 h late, 24 h to refund), so a week bounds the topic (delete)"
        ),
    ),
)

FAMILY_OF: dict[str, Family] = {name: family for family in FAMILIES for name in family.types}

#: Name (an event type, a result type, "state", "window-totals") -> topic, without its prefix.
DEFAULT_TOPICS: dict[str, str] = (
    {event.__name__: topic for topic, events in TOPICS.items() for event in events}
    | {result.__name__: topic for topic, result in RESULT_TYPES.items()}
    | {"state": "live.state", "window-totals": "live.window-totals"}
)
DEFAULT_TOPICS = {name: topic.removeprefix("live.") for name, topic in DEFAULT_TOPICS.items()}


def names_by_topic(settings: "Settings") -> dict[str, tuple[str, ...]]:
    """Return topic -> the names of what it carries, in the order of the table."""
    carried: dict[str, tuple[str, ...]] = {}
    for name in FAMILY_OF:
        topic = settings.topic_of(name)
        carried[topic] = (*carried.get(topic, ()), name)
    return carried


def topics(settings: "Settings") -> list[TopicSpec]:
    """Return every topic that these settings need, as it must be made."""
    return [_spec(settings, topic, names) for topic, names in names_by_topic(settings).items()]


def _spec(settings: "Settings", topic: str, names: tuple[str, ...]) -> TopicSpec:
    family = FAMILY_OF[names[0]]
    in_sync = max(1, settings.replication_factor - 1)
    return TopicSpec(
        name=topic,
        family=family.name,
        types=names,
        partitions=settings.partitions,
        replication=settings.replication_factor,
        config=family.config | {"min.insync.replicas": str(in_sync)},
        why=family.why,
    )


class Found(Struct, frozen=True, kw_only=True):
    """A topic as the broker has it. ``cleanup`` is None where the broker does not tell."""

    partitions: int
    cleanup: str | None


class Difference(Struct, frozen=True, kw_only=True):
    """A topic is not as it must be: what is wrong, and the command that mends it."""

    topic: str
    kind: Literal["missing", "partitions", "cleanup"]
    problem: str
    mend: str


def differences(
    specs: list[TopicSpec], found: Mapping[str, Found], *, bootstrap: str
) -> list[Difference]:
    """Compare what must be with what is."""
    return [
        difference
        for spec in specs
        for difference in _compare(spec, found.get(spec.name), bootstrap=bootstrap)
    ]


def _compare(spec: TopicSpec, found: Found | None, *, bootstrap: str) -> list[Difference]:
    if found is None:
        mend = "livepulse topics create"
        return [Difference(topic=spec.name, kind="missing", problem="does not exist", mend=mend)]
    wrong = []
    if found.partitions != spec.partitions:
        wrong.append(_wrong_partitions(spec, found.partitions, bootstrap=bootstrap))
    if found.cleanup is not None and _set(found.cleanup) != _set(spec.config["cleanup.policy"]):
        wrong.append(_wrong_cleanup(spec, found.cleanup, bootstrap=bootstrap))
    return wrong


def _set(policies: str) -> set[str]:
    return set(policies.split(","))


def _wrong_partitions(spec: TopicSpec, count: int, *, bootstrap: str) -> Difference:
    if count > spec.partitions:
        mend = f"LIVEPULSE_PARTITIONS={count} (Kafka cannot take partitions away)"
    else:
        mend = (
            f"kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {spec.name}"
            f" --partitions {spec.partitions} (only before the first run: keys change partition)"
        )
    problem = f"has {count} partitions, must have {spec.partitions}"
    return Difference(topic=spec.name, kind="partitions", problem=problem, mend=mend)


def _wrong_cleanup(spec: TopicSpec, cleanup: str, *, bootstrap: str) -> Difference:
    wanted = spec.config["cleanup.policy"]
    mend = (
        f"kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics"
        f" --entity-name {spec.name} --add-config 'cleanup.policy=[{wanted}]'"
    )
    problem = f"has cleanup.policy={cleanup}, must have {wanted}"
    return Difference(topic=spec.name, kind="cleanup", problem=problem, mend=mend)
