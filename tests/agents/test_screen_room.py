"""A room: what a client hears that had this or that revision last, and nothing is missed."""

import asyncio
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.screen.room import GZIP_HEADER, HEARTBEAT, Room, Update, update
from agents.screen.source import empty_total
from schemas.results import ConversionRow
from streams.material import Material
from streams.totals import PANE_MS

T0 = 1_790_000_000_000


def rows(**revisions: int) -> dict[int, ConversionRow]:
    """Make panes by number (``p3=2``: pane 3 at revision 2)."""
    found = {}
    for name, revision in revisions.items():
        start = T0 + int(name[1:]) * PANE_MS
        row = empty_total("s1", T0)
        found[start] = msgspec.structs.replace(row, window="10s", start=start, revision=revision)
    return found


def take(room: Room, known: dict[int, ConversionRow], *fresh: int, at: int = T0) -> None:
    """Make the next revision, in which these panes (by number) are new."""
    material = Material(session_id="s1", at=at, total=empty_total("s1", T0))
    room.take(material, known, {T0 + n * PANE_MS for n in fresh})


def heard(said: Update) -> list[tuple[str, Any]]:
    """Read the events of an update."""
    found = []
    for block in said.plain.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], msgspec.json.decode(fields["data"])))
    return found


def panes(said: Update) -> dict[int, int]:
    """Return the revisions of the panes in an update, by number."""
    return {
        (row["start"] - T0) // PANE_MS: row["revision"]
        for name, data in heard(said)
        if name == "panes"
        for row in data["rows"]
    }


def new_room() -> Room:
    """Return a room that nobody has read yet."""
    return Room("s1", lambda viewer_id: viewer_id)


def test_who_is_new_hears_everything() -> None:
    """All panes of the timeline, then the snapshot with its id."""
    room = new_room()
    take(room, rows(p0=1, p1=1), 0, 1)
    said = room.since(0, "ok")
    assert panes(said) == {0: 1, 1: 1}
    assert [name for name, _ in heard(said)] == ["panes", "snapshot"]
    assert f"id: {room.began}-{room.revision}\n".encode() in said.plain


def test_who_comes_back_hears_what_has_changed_since() -> None:
    """A pane that was corrected meanwhile, and not the others."""
    room = new_room()
    take(room, rows(p0=1, p1=1), 0, 1)
    mine = room.revision
    take(room, rows(p0=2, p1=1), 0)
    take(room, rows(p0=2, p1=1, p2=1), 2)
    assert panes(room.since(mine, "ok")) == {0: 2, 2: 1}
    assert room.since(room.revision, "ok").plain == b""


def last_id(room: Room) -> str:
    """Return the id that a client has after everything."""
    return room.since(0, "ok").plain.decode().rpartition("\nid: ")[2].partition("\n")[0]


def test_a_room_knows_its_own_ids() -> None:
    """Who comes back with the last one has seen everything."""
    room = new_room()
    take(room, rows(p0=1), 0)
    take(room, rows(p0=2), 0, at=T0 + 250)
    assert room.seen(last_id(room)) == room.revision


@pytest.mark.parametrize("wrong", ["", "-", "x", "1-", "1-x", "1-²", "1-" + "9" * 21])
def test_what_is_no_id_is_none(wrong: str) -> None:
    """Also one from the future."""
    room = new_room()
    take(room, rows(p0=1), 0, at=1)
    assert (room.seen(wrong), room.seen("1-1"), room.seen("1-2")) == (0, 1, 0)


def test_an_id_of_another_process_is_no_id() -> None:
    """Its clock is ahead: the panes that this one has read meanwhile are not old for that."""
    ours, theirs = new_room(), new_room()
    take(ours, rows(p0=1), 0)
    take(theirs, rows(p0=1), 0, at=T0 + 500)
    take(ours, rows(p0=1, p1=1), 1, at=T0 + 250)
    take(ours, rows(p0=1, p1=1), at=T0 + 1_000)
    assert panes(ours.since(ours.seen(last_id(theirs)), "ok")) == {0: 1, 1: 1}


def test_revisions_only_grow() -> None:
    """Also when the clock stands still or goes back."""
    room, seen = new_room(), []
    for at in (T0, T0, T0 - 5_000):
        take(room, {}, at=at)
        seen.append(room.revision)
    assert seen == [T0, T0 + 1, T0 + 2]


def test_the_loss_of_the_data_is_told_and_its_return() -> None:
    """Once each, with no snapshot while there is none."""
    room = new_room()
    room.lost()
    assert heard(room.since(0, "ok")) == [("status", {"state": "no_data_source"})]
    assert room.since(0, "no_data_source").plain == b""
    take(room, rows(p0=1), 0)
    assert [name for name, _ in heard(room.since(0, "no_data_source"))] == [
        "status", "panes", "snapshot",
    ]  # fmt: skip


def test_who_is_new_hears_the_state_as_soon_as_it_is_known() -> None:
    """It may remember another one; before the first reading nobody knows."""
    room = new_room()
    assert room.since(0, None).plain == b""
    take(room, rows(p0=1), 0)
    assert heard(room.since(0, None))[0] == ("status", {"state": "ok"})


def test_panes_that_are_forgotten_are_not_sent() -> None:
    """An hour is kept."""
    room = new_room()
    take(room, rows(p0=1, p1=1), 0, 1)
    take(room, rows(p1=1))
    assert panes(room.since(0, "ok")) == {1: 1}


async def test_all_who_wait_are_woken() -> None:
    """Each revision once."""
    room = new_room()
    waiting = [asyncio.create_task(room.turn()) for _ in range(3)]
    await asyncio.sleep(0)
    take(room, {})
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    again = asyncio.create_task(room.turn())
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_deflated_updates_fit_behind_each_other(bodies: list[bytes]) -> None:
    """In any order after one header they are one gzip stream of all the bytes."""
    said = [update(body) for body in bodies] + [HEARTBEAT]
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    found = stream.decompress(GZIP_HEADER + b"".join(one.deflated for one in said))
    assert found == b"".join(one.plain for one in said)


Step = tuple[list[int], bool]  # panes that change, and whether the client takes its update


@given(st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=3), st.booleans()), max_size=30))
def test_a_slow_client_misses_no_pane(steps: list[Step]) -> None:
    """However many revisions it skips, in the end it has the newest of every pane."""
    room, current = new_room(), dict.fromkeys(range(5), 0)
    mine: dict[int, int] = {}
    revision = 0
    for changed, takes in [*steps, ([], True)]:
        current |= {number: current[number] + 1 for number in changed}
        known = rows(**{f"p{number}": count for number, count in current.items() if count})
        take(room, known, *set(changed))
        if takes:
            mine |= panes(room.since(revision, "ok"))
            revision = room.revision
    assert mine == {number: count for number, count in current.items() if count}
