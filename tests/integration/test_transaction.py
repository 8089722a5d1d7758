"""The producer of one task, on a real Kafka."""

from pathlib import Path

import pytest

from agents.engine.transaction import Transactions
from tests.integration.cluster import new_site
from tests.integration.kafka import Kafka

pytestmark = pytest.mark.kafka


async def test_a_new_topic_makes_a_producer_forget_no_other(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """What is under way to a topic without a known leader is lost with the worker, after 40 s."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    outputs = {site.settings.topic_of(name) for name in ("state", "window-totals", "Decision")}
    transactions = Transactions(site.settings, 0)
    await transactions.start()
    try:
        client = transactions._producer.client
        await client.add_topic("a-topic-that-was-missing")
        assert outputs < client.cluster.topics()
    finally:
        await transactions.stop()
