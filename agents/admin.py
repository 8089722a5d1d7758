"""The operator's way to the broker: what is there, and making what is missing."""

import logging
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from agents.consistency import split_address
from agents.settings import Settings
from agents.topics import Found, TopicSpec

_CONNECT_S = 3.0
_ALREADY_EXISTS = 36  # Kafka's error code: somebody else made it a moment ago


class Unreachable(Exception):  # noqa: N818 - it reads as what it says: the broker is unreachable
    """Nothing answers where the settings say that a Kafka or a Redis is."""


class Refused(Exception):  # noqa: N818 - as above
    """The broker answers, but will not do what was asked."""


def knock(settings: Settings) -> None:
    """Open a TCP connection to one of the brokers. Raises Unreachable when none answers.

    The clients retry for seconds and then say only that time is up; this says why, at once.
    """
    reasons = []
    for address in settings.kafka_bootstrap.split(","):
        try:
            socket.create_connection(split_address(address), timeout=_CONNECT_S).close()
        except OSError as error:
            reasons.append(f"{address.strip()}: {error.strerror or error}")
        else:
            return
    raise Unreachable(
        f"no Kafka broker answers ({'; '.join(reasons)});"
        " start it, or correct LIVEPULSE_KAFKA_BOOTSTRAP"
    )


@contextmanager
def open_admin(settings: Settings) -> Iterator[Any]:
    """Connect a kafka-python admin client and close it at the end. Raises Unreachable."""
    import kafka  # noqa: PLC0415 - costs 0.4 s; only commands that talk to a broker pay
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    knock(settings)
    quiet_kafka_log()
    try:
        admin = kafka.KafkaAdminClient(
            **settings.kafka_python_config(),
            client_id=f"{settings.app_id}-admin",
            bootstrap_timeout_ms=int(_CONNECT_S * 1000),
        )
    except KafkaError as error:
        raise refused(settings, error) from error
    try:
        yield admin
    finally:
        admin.close()


def refused(settings: Settings, error: Exception) -> Unreachable:
    """Say that something listens at the address but lets no Kafka client in."""
    return Unreachable(
        f"{settings.kafka_bootstrap} listens but does not answer as a Kafka broker with"
        f" {settings.kafka_security_protocol} should ({error});"
        " correct LIVEPULSE_KAFKA_SECURITY_PROTOCOL, the SASL or TLS settings, or the address"
    )


def quiet_kafka_log() -> None:
    """Keep kafka-python's retries off the screen unless logging was set up on purpose."""
    logging.getLogger("kafka").addHandler(logging.NullHandler())


def existing(admin: Any, names: Iterable[str]) -> dict[str, Found]:
    """Return those of ``names`` that the broker has."""
    wanted = set(names)
    counts = {
        topic["name"]: len(topic["partitions"])
        for topic in admin.describe_topics()  # of all: asking by name may create the topic
        if topic["name"] in wanted
    }
    cleanup = _cleanup_policies(admin, counts)
    return {
        name: Found(partitions=count, cleanup=cleanup.get(name)) for name, count in counts.items()
    }


def _cleanup_policies(admin: Any, names: Iterable[str]) -> dict[str, str]:
    """Return topic -> cleanup.policy; empty where the broker cannot tell."""
    from kafka.admin import ConfigResource  # noqa: PLC0415 - loaded with the admin client
    from kafka.errors import (  # noqa: PLC0415 - as above
        IncompatibleBrokerVersion,
        KafkaConnectionError,
    )

    key = "cleanup.policy"
    resources = [ConfigResource("TOPIC", name, {key: None}) for name in names]
    if not resources:
        return {}
    try:
        described = admin.describe_configs(resources, config_filter="all")["topic"]
    except (IncompatibleBrokerVersion, KafkaConnectionError):
        return {}  # the demo's broker hangs up when it is asked
    return {name: values[key]["value"] for name, values in described.items() if key in values}


def create(admin: Any, specs: list[TopicSpec], *, dry_run: bool) -> None:
    """Make these topics; with ``dry_run`` the broker only says whether it would.

    Raises Refused with the broker's reasons; what it did make stays.
    """
    from kafka.errors import IncompatibleBrokerVersion, UnknownBrokerIdError  # noqa: PLC0415 - loaded with the admin client

    wanted = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": spec.config,
        }
        for spec in specs
    }
    if not wanted:
        return
    try:
        answer = admin.create_topics(wanted, validate_only=dry_run, raise_errors=False)
    except (IncompatibleBrokerVersion, UnknownBrokerIdError) as error:
        reason = "this broker makes no topics on request; the demo's makes them when they are used"
        raise Refused(reason) from error
    _raise_refused(answer["topics"])
    if not dry_run:
        admin.wait_for_topics(list(wanted))


def _raise_refused(answers: list[dict[str, Any]]) -> None:
    """Raise Refused, with each reason once and the topics that it holds for."""
    topics_by_reason: dict[str, list[str]] = {}
    for answer in answers:
        if answer["error_code"] not in {0, _ALREADY_EXISTS}:
            reason = answer["error_message"] or f"error {answer['error_code']}"
            topics_by_reason.setdefault(reason, []).append(answer["name"])
    if topics_by_reason:
        reasons = (f"{reason} ({', '.join(names)})" for reason, names in topics_by_reason.items())
        raise Refused(f"the broker refused: {'; '.join(reasons)}")
