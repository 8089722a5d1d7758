"""What a Kafka tells about itself: topics, their configuration, its own, its clock."""

import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from agents.settings import Settings


class TopicFacts(Struct, frozen=True, kw_only=True):
    """A topic as it is; ``replication`` is that of its weakest partition."""

    replication: int
    config: dict[str, str]


class BrokerFacts(Struct, frozen=True, kw_only=True):
    """A cluster as it is; it tells of the topics, and None else, what this user may know.

    ``clock_ahead_s``: how far the clock of this machine is ahead of the cluster's, in seconds.
    """

    brokers: int
    topics: dict[str, TopicFacts]
    config: dict[str, str] | None
    clock_ahead_s: float | None


def gather(settings: Settings, admin: Any, names: Iterable[str]) -> BrokerFacts | None:
    """Ask for everything; None without topics, and of a broker that describes none (the demo's)."""
    from kafka.errors import KafkaError  # noqa: PLC0415 - loaded with the admin client

    names = list(names)
    if not names:
        return None
    try:
        configs = _configs(admin, "TOPIC", names)
    except KafkaError:
        return None
    described = {one["name"]: one for one in admin.describe_topics(names)}
    nodes = [str(one["broker_id"]) for one in admin.describe_cluster()["brokers"]]
    return BrokerFacts(
        brokers=len(nodes),
        topics={
            name: TopicFacts(replication=_replication(described[name]), config=config)
            for name, config in configs.items()
            if config  # else this user may not see it
        },
        config=_own_config(admin, nodes[0]),
        clock_ahead_s=_clock_ahead_s(settings),
    )


def _configs(admin: Any, kind: str, names: list[str]) -> dict[str, dict[str, str]]:
    from kafka.admin import ConfigResource  # noqa: PLC0415 - loaded with the admin client

    resources = [ConfigResource(kind, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all")[kind.lower()]
    return {
        name: {key: one["value"] for key, one in values.items() if one["value"] is not None}
        for name, values in described.items()
    }


def _own_config(admin: Any, node: str) -> dict[str, str] | None:
    from kafka.errors import KafkaError  # noqa: PLC0415 - loaded with the admin client

    try:
        return _configs(admin, "BROKER", [node]).get(node) or None
    except KafkaError:  # this user may not ask
        return None


def _replication(topic: dict[str, Any]) -> int:
    return min((len(one["replica_nodes"]) for one in topic["partitions"]), default=0)


def _clock_ahead_s(settings: Settings) -> float | None:
    """Compare clocks by what the leader of the metadata says of itself: it is caught up now."""
    import kafka  # noqa: PLC0415 - costs 0.4 s; only this check pays
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    try:
        admin = kafka.KafkaAdminClient(**settings.aiokafka_config())  # a newer protocol's question
    except KafkaError:
        return None
    try:
        before_s = time.time()  # noqa: TID251 - agents own the clock
        quorum = admin.describe_metadata_quorum()
        after_s = time.time()  # noqa: TID251 - agents own the clock
    except KafkaError:  # no KRaft, too old, or this user may not ask
        return None
    finally:
        admin.close()
    told_ms = _leader_ms(quorum)
    return None if told_ms is None else (before_s + after_s) / 2 - told_ms / 1000


def _leader_ms(quorum: dict[str, Any]) -> int | None:
    for topic in quorum["topics"]:
        for partition in topic["partitions"]:
            for voter in partition["current_voters"]:
                if voter["replica_id"] == partition["leader_id"]:
                    told = voter.get("last_caught_up_timestamp", -1)
                    return told if told > 0 else None
    return None
