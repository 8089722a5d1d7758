"""Killed with -9 and started again: the same triggers, tables and dead letters, none twice."""

import random
import time
from pathlib import Path

import pytest

from tests.integration.cluster import Site, twin, until
from tests.integration.kafka import Kafka
from tests.integration.outcome import differences, outcome, reference

pytestmark = pytest.mark.kafka

KILLS = 3


def test_a_second_run_says_the_same(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Two undisturbed runs over the same topics agree, whatever the commit interval."""
    site, wanted = reference(kafka, redis_url)
    assert wanted.twice == []
    again = twin(site, tmp_path)
    with again.worker(LIVEPULSE_COMMIT_INTERVAL_MS="10") as worker:
        worker.ready()
        again.settle()
        assert worker.stop() == 0
    assert differences(outcome(again), wanted) == {}
