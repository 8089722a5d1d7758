"""Killed with -9 and started again: the same triggers, tables and dead letters, none twice."""

import random
import time
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import encode

from agents.recording import Record
from schemas.events import SessionStarted, ViewerEntered
from schemas.results import ConversionRow
from tests.integration.cluster import (
    PARTITIONS,
    Site,
    WorkerProcess,
    decoded,
    new_site,
    twin,
    until,
)
from tests.integration.kafka import Kafka
from tests.integration.outcome import (
    agree,
    assert_counts,
    in_peace,
    newest_rows,
    outcome,
    reference,
    wait_closed,
    wait_counted,
)
from tests.integration.world import clock_events, live_world

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
    inputs, unread = killed.ends(*killed.input_topics), []
    for _ in range(KILLS):
        with killed.worker(LIVEPULSE_COMMIT_INTERVAL_MS="5") as worker:
            kill_after_output(killed, worker, dice)
        unread.append(len(killed.behind(inputs)))
    assert unread[0], "the first kill came after the backlog"
    with killed.worker() as worker:
        worker.ready()
        wait_closed(killed)
        assert worker.stop() == 0
    agree(outcome(killed), wanted)


def test_a_group_that_has_forgotten_its_offsets_is_not_believed(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """The state says what is in it, so nothing is applied or refused a second time."""
    site = new_site(kafka, redis_url, tmp_path)
    wanted = in_peace(site)
    site.forget_offsets()
    site.feed(clock_events(time.time_ns() // 1_000_000, PARTITIONS))
    with site.worker() as worker:
        worker.ready()
        site.settle()
        assert worker.stop() == 0
    agree(outcome(site), wanted)


def test_kills_in_live_traffic_lose_nothing(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Killed twice while events come in: every event counts once, no trigger is said twice."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    dice = random.Random(8)
    world = live_world()
    with site.feeding(world.records) as ended:
        for _ in range(2):
            with site.worker() as worker:
                kill_after_output(site, worker, dice)
        with site.worker() as worker:
            worker.ready()
            world = world.first(ended())
            wait_counted(site, world)
            assert worker.stop() == 0
    found = outcome(site)
    assert found.triggers
    assert_counts(world, found)


def test_topics_that_were_made_anew_are_read_from_their_beginning(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """Deleted and made while no worker ran: the state knows offsets that they do not have yet."""
    site = new_site(kafka, redis_url, tmp_path, partitions=1)
    site.create_topics()
    site.feed(chain.from_iterable(visit(f"room-{number}") for number in range(5)))
    with site.worker() as worker:
        worker.ready(1)
        until(worker.last_words, lambda: len(visited_and_announced(site)) == 5)
        assert worker.stop() == 0
    site.make_anew(site.settings.topic_of("SessionStarted"), site.settings.topic_of("Heartbeat"))
    site.feed(visit("new room"))
    with site.worker() as worker:
        worker.ready(1)
        until(worker.last_words, lambda: "new room" in visited_and_announced(site))
        assert worker.stop() == 0


def visit(room: str) -> list[Record]:
    """Return the start of a session, and somebody who comes in."""
    now_ms = time.time_ns() // 1_000_000
    common: dict[str, Any] = {"ts": now_ms, "session_id": room}
    began = SessionStarted(id=f"{room} began", **common)
    entered = ViewerEntered(id=f"{room} entered", viewer_id="v1", **common)
    return [
        Record("live.host", room.encode(), encode(began), now_ms),
        Record("live.visits", b"v1", encode(entered), now_ms),
    ]


def visited_and_announced(site: Site) -> set[str]:
    """Return the sessions in whose rows are a viewer's event and the host's."""
    rows = newest_rows(decoded(site.read(site.settings.topic_of("ConversionRow")), ConversionRow))
    return {
        row.session_id
        for row in rows.values()
        if row.scope == "session" and row.announced and row.people.get("viewers")
    }


def kill_after_output(site: Site, worker: WorkerProcess, dice: random.Random) -> None:
    """Let some task commit once more, and kill all in whatever they are at soon after."""
    before = sum(site.committed().values())
    until(lambda: "a commit", lambda: sum(site.committed().values()) > before)
    time.sleep(dice.uniform(0, 0.4))
    worker.kill()
