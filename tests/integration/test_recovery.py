"""Killed with -9 and started again: the same triggers, tables and dead letters, none twice."""

import random
import time
from pathlib import Path

import pytest

from tests.integration.cluster import Site, twin, until
from tests.integration.kafka import Kafka
from tests.integration.outcome import agree, outcome, reference, wait_closed

pytestmark = pytest.mark.kafka

KILLS = 3


def test_a_second_run_says_the_same(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Two undisturbed runs over the same topics agree, whatever the commit interval."""
    site, wanted = reference(kafka, redis_url)
    assert wanted.twice == []
    again = twin(site, tmp_path)
    with again.worker(LIVEPULSE_COMMIT_INTERVAL_MS="10") as worker:
        worker.ready()
        wait_closed(again)
        assert worker.stop() == 0
    agree(outcome(again), wanted)


def test_three_kills_change_nothing(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Killed in the middle of the backlog, three times, and started again at once."""
    site, wanted = reference(kafka, redis_url)
    killed = twin(site, tmp_path)
    dice = random.Random(7)
    for _ in range(KILLS):
        before = said_so_far(killed)
        with killed.worker(LIVEPULSE_COMMIT_INTERVAL_MS="5") as worker:
            until(lambda: "new output", lambda b=before: said_so_far(killed) > b)
            time.sleep(dice.uniform(0, 0.3))
            worker.kill()
    with killed.worker() as worker:
        worker.ready()
        wait_closed(killed)
        assert worker.stop() == 0
    agree(outcome(killed), wanted)


def said_so_far(site: Site) -> int:
    """Return how far the logs of the tasks' state have grown, committed or not."""
    return site.logged(site.settings.topic_of("state"))
