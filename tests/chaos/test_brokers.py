"""The cluster is three real brokers: two must agree, and each comes back from a kill."""

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from tests.chaos.brokers import BROKERS
from tests.chaos.campaign import Stage
from tests.integration.cluster import until

pytestmark = [pytest.mark.kafka, pytest.mark.long]

TOPIC = "three-copies"


def test_a_cluster_survives_one_broker_and_waits_for_the_second(on: Stage) -> None:
    """With one broker killed records are taken; with two they are not, until one is back."""
    admin = on.cluster.admin()
    [made] = admin.create_topics([NewTopic(TOPIC, 1, BROKERS)]).values()
    made.result()
    assert produce(on, timeout_s=20.0)
    leader = on.cluster.leader(TOPIC, 0)
    leader.kill()
    until(lambda: "a new leader", lambda: on.cluster.leader(TOPIC, 0) is not leader)
    assert produce(on, timeout_s=20.0)
    second = on.cluster.leader(TOPIC, 0)
    second.kill()
    assert not produce(on, timeout_s=4.0)
    on.cluster.start()
    assert produce(on, timeout_s=20.0)
    for done in admin.delete_topics([TOPIC]).values():
        done.result()


def produce(on: Stage, *, timeout_s: float) -> bool:
    """Say whether the cluster acknowledges a record."""
    told: list[object] = []
    config = {"bootstrap.servers": on.cluster.bootstrap, "acks": "all", "log_level": 0}
    producer = Producer(config | {"message.timeout.ms": int(timeout_s * 1_000)})
    producer.produce(TOPIC, b"x", on_delivery=lambda error, _: told.append(error))
    producer.flush(timeout_s + 5.0)
    return told == [None]
