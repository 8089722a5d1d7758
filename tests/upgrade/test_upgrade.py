"""From one version to the next and back, with real state that the version before has left.

``state-0.1.bin`` was written by the code of 0.1, and the code of now reads it. How that code reads
what is written now cannot be run here, where there is only one version: the shapes tell. At a
release both are there, and README.md says how to try it.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.policy import Policy
from streams.session import Session
from tests.upgrade import fixture, shapes
from tests.upgrade.fixture import Fixture
from tests.upgrade.story import Said, Tasks

STRUCTS = shapes.structs()
#: 0.1 left a task that said nothing of a pane out of who is present in it.
PRESENCE = ("present", "peak_present")


@cache
def left() -> Fixture:
    """Return what the version before has left."""
    return fixture.read(Path(__file__).with_name("state-0.1.bin"))


def taken_over(*, alone: bool = False) -> Tasks:
    """Let tasks of this version take over in the middle, with the thresholds of before."""
    tasks = Tasks(msgspec.convert(left().policy, Policy), alone=alone)
    tasks.restore(left().changelogs)
    return tasks


@cache
def gone_on() -> Tasks:
    """Let them go on to the end."""
    tasks = taken_over()
    for records in left().steps:
        tasks.read(records)
    tasks.close()
    return tasks


def rows(said: Said, *apart: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return what each row says by what names it, some fields apart.

    Its revision is always apart: a version may publish more often than the one before. A whole
    session's start may move, so it names nothing.
    """
    found = {}
    for row in map(msgspec.json.decode, said.rows):
        start = 0 if row["window"] == "session" else row["start"]
        named = (row["session_id"], row["scope"], row["scope_id"], row["window"], start)
        found[named] = {name: row[name] for name in row.keys() - {"revision", *apart}}
    return found


def holds(session: Session) -> Counter[str]:
    """Count what a session of a task holds that an upgrade might lose."""
    visits = list(session.visits.values())
    coupons = [one.status for visit in visits for one in visit.coupons or ()]
    return Counter({
        "carts": sum(bool(visit.cart) for visit in visits),
        "orders": sum(bool(visit.orders) for visit in visits),
        "at risk": sum(visit.at_risk for visit in visits),
        "recommended": sum(bool(visit.recommended) for visit in visits),
        "coupons pending": coupons.count("pending"),
        "coupons sent": coupons.count("sent"),
        "totals not published": len(session.unpublished),
        "sessions on": session.shelf.ended is None,
        "sessions ended": session.shelf.ended is not None,
        "products": len(session.shelf.products),
        "pairs": sum(len(one.together) for one in session.affinity.values()),
    })  # fmt: skip


# --- forward -----------------------------------------------------------------------------------


def test_the_state_that_was_left_is_that_of_a_room_in_full_swing() -> None:
    """Nothing that can be lost is missing from it, and all of it is read."""
    tasks = taken_over().world.tasks
    # A sum of counters leaves out what it found nowhere.
    found = sum((holds(one) for task in tasks for one in task.state.sessions.values()), Counter())
    assert found.keys() == holds(Session("any")).keys()


def answered_late() -> set[str]:
    """Return the causes whose coupon 0.1 did not send: time jumped while the budget was asked.

    Who catches up waits for the answer now, and sends what was sent live.
    """
    said = map(msgspec.json.decode, left().said.decisions)
    return {one["cause_id"] for one in said if one["reason"] == "answer_late"}


#: 0.1 decided this cart's coupon as of a time before the viewer came back, when it had ended.
RETURNED = {"ecwg20001vn"}


def but_for(causes: set[str], said: list[bytes]) -> list[bytes]:
    """Leave out what has one of these causes."""
    return [one for one in said if msgspec.json.decode(one)["cause_id"] not in causes]


def test_triggers_are_those_of_the_version_before() -> None:
    """Byte for byte, ids included: nobody gets another coupon for an upgrade, nobody gets two."""
    late = answered_late()
    now, before = gone_on().said().triggers, left().said.triggers
    assert but_for(late, now) == but_for(RETURNED, before)
    assert len(now) == len(before) + len(late) - len(RETURNED)


def test_decisions_are_those_of_the_version_before() -> None:
    """Also those that nothing was sent, with their reasons."""
    others = answered_late() | RETURNED
    assert but_for(others, gone_on().said().decisions) == but_for(others, left().said.decisions)
    assert len(gone_on().said().decisions) == len(left().said.decisions)


def test_churn_is_that_of_the_version_before() -> None:
    """Every change of a level, with its reasons."""
    assert gone_on().said().churn == left().said.churn


def test_rows_are_those_of_the_version_before() -> None:
    """Counts, people, money, rates, and whether they are final."""
    assert rows(gone_on().said(), *PRESENCE) == rows(left().said, *PRESENCE)


def test_nobody_who_was_present_for_the_version_before_is_missing() -> None:
    """A pane has those of silent tasks now; the whole session had them before."""
    now, before = rows(gone_on().said()), rows(left().said)
    for named, row in before.items():
        if named[1] == "session":
            more = [now[named][name] - row[name] for name in PRESENCE]
            assert min(more) >= 0 if named[3] != "session" else more == [0, 0], named


def test_a_task_of_this_version_merges_what_one_of_the_version_before_publishes() -> None:
    """As long as a rolling upgrade takes, the totals of both versions go into the same rows.

    Here they come one after the other, so a row may be final before its correction.
    """
    tasks = taken_over(alone=True)
    for records, (_, theirs) in zip(left().steps, left().totals, strict=False):
        tasks.read(records)
        tasks.hear(theirs)
    tasks.close()
    tasks.hear(left().totals[-1][1])
    apart = ("status", *PRESENCE)
    assert rows(tasks.said(), *apart) == rows(left().said, *apart)


# --- and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", left().fields)
def test_a_struct_of_the_version_before_has_only_grown_at_its_end(name: str) -> None:
    """So old code finds its fields where they were, and new code finds all that it needs."""
    kind, before = STRUCTS[name], left().fields[name]
    assert kind.__struct_config__.array_like
    assert not kind.__struct_config__.forbid_unknown_fields
    now = shapes.fields(kind)
    assert now[: len(before)] == before
    added = {field for field, _ in now[len(before) :]}
    needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
    assert not added & needed, "give the new field a default: old state does not have it"


def test_numbers_mean_what_they_meant() -> None:
    """Columns, steps, windows and units: no reader could tell that they are others."""
    assert shapes.layout() == left().layout


def test_kinds_of_keys_mean_what_they_meant() -> None:
    """Old code refuses a kind that it does not know, and reads another meaning wrongly."""
    assert {kind: one.__name__ for kind, one in shapes.KINDS.items()} == left().kinds


def test_records_stand_under_the_keys_of_the_version_before() -> None:
    """A record of every kind replaces one that was left, so nothing stands twice."""
    tasks = gone_on()
    assert {shapes.kind_of(key) for key in tasks.written} == left().kinds.keys()
    before = {key for log in left().changelogs for key in log}
    assert {shapes.kind_of(key) for key in tasks.written & before} == left().kinds.keys()


def test_every_record_is_the_struct_of_its_kind() -> None:
    """What is said above of the structs is said of what stands in the changelog."""
    for log in (*left().changelogs, *(one.records for one in gone_on().logs)):
        for key, value in log.items():
            msgspec.msgpack.decode(value, type=shapes.KINDS[shapes.kind_of(key)])
