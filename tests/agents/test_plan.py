"""`livepulse plan`: plain arithmetic, and honest about where its numbers come from."""

import json
import math
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from agents.commands.durations import seconds
from agents.commands.plan import size
from agents.plan import CONSTANTS, Load, plan
from tests.agents.command_line import CommandLine

OF = {constant.name: constant.value for constant in CONSTANTS}
DAY_S = 86_400


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """Give a command line in an empty directory."""
    return CommandLine(monkeypatch, capsys, tmp_path)


def load(events_per_s: float = 20_000, viewers: int = 200_000, *, days: float = 7) -> Load:
    """Return a load of medium size."""
    return Load(events_per_s=events_per_s, viewers=viewers, retention_s=days * DAY_S)


LOADS = st.builds(
    load,
    events_per_s=st.floats(1, 5e6),
    viewers=st.integers(1, 50_000_000),
    days=st.floats(0.01, 60),
)


def test_a_small_load_needs_two_workers() -> None:
    """One would do, but one may be lost."""
    small = plan(load(10, 100))
    assert (small.workers, small.partitions) == (2, 4)


def test_disk_is_rate_times_size_times_time_times_copies() -> None:
    """Worked out by hand: 1,000 events/s for a day, three copies."""
    expected = 1_000 * OF["input_bytes_per_event"] * DAY_S * OF["replication"]
    assert plan(load(1_000, 10_000, days=1)).disk_events == pytest.approx(expected)


def test_many_viewers_alone_need_workers_for_the_restore() -> None:
    """Viewers that send little still have state that a new owner must read in time."""
    crowd = plan(load(10, 50_000_000))
    alone_s = 50_000_000 * OF["changelog_keys_per_viewer"] / OF["restore_records_per_s"]
    assert crowd.workers == math.ceil(alone_s / OF["restore_s"])
    assert crowd.restore_s <= OF["restore_s"]


@given(LOADS)
def test_no_worker_is_too_busy(asked: Load) -> None:
    """Events and totals fit into the share of the cores that may be busy."""
    made = plan(asked)
    assert made.cores_for_events + made.cores_for_totals <= made.workers * OF["busy_share"] + 1e-9


@given(LOADS)
def test_there_is_room_to_grow(asked: Load) -> None:
    """Every worker has a partition, and so has every one of twice as many."""
    made = plan(asked)
    assert made.partitions >= made.workers * OF["growth"]
    assert made.partitions & (made.partitions - 1) == 0


@given(LOADS)
def test_the_others_hold_the_viewers_of_a_lost_worker(asked: Load) -> None:
    """All the state fits into one worker less, with the allocator's share to spare."""
    made = plan(asked)
    room = (made.memory_per_worker - OF["worker_bytes"]) * (made.workers - 1)
    state = asked.viewers * OF["state_bytes_per_viewer"]
    assert room >= state * OF["memory_headroom"] * 0.999_999


@given(LOADS, st.floats(1, 10))
def test_more_events_never_need_less(asked: Load, times: float) -> None:
    """Neither workers, nor partitions, nor disk."""
    more = load(asked.events_per_s * times, asked.viewers, days=asked.retention_s / DAY_S)
    before, after = plan(asked), plan(more)
    assert after.workers >= before.workers
    assert after.partitions >= before.partitions
    assert after.disk_events >= before.disk_events * 0.999_999


def test_every_constant_says_where_it_comes_from() -> None:
    """A measured one names a command, an assumed one its reason; no name is there twice."""
    assert len(OF) == len(CONSTANTS)
    for constant in CONSTANTS:
        commands = ("make bench", "python -m tests.deploy.measure")
        assert constant.source
        assert (constant.kind == "measured") == constant.source.startswith(commands), constant.name


def test_the_command_prints_plan_and_constants(shell: CommandLine) -> None:
    """For people: the plan, then what it reckons with."""
    done = shell.run("plan", "--events-per-s", "20000", "--viewers", "200000", "--retention", "7d")
    assert done.code == 0
    assert f"workers{plan(load()).workers:>29}" in done.out
    for constant in CONSTANTS:
        assert f"{constant.kind:<9} {constant.name} " in done.out


def test_the_command_prints_json(shell: CommandLine) -> None:
    """For programs: load, plan and constants."""
    done = shell.run(
        "plan", "--events-per-s", "20000", "--viewers", "200000", "--retention", "7d", "--json"
    )
    said = json.loads(done.out)
    assert said["plan"]["workers"] == plan(load()).workers
    assert said["load"]["retention_s"] == 7 * DAY_S
    assert len(said["constants"]) == len(CONSTANTS)


def test_it_says_which_option_is_wrong(shell: CommandLine) -> None:
    """A duration without a unit is refused, and the message says how to write one."""
    done = shell.run("plan", "--events-per-s", "1", "--viewers", "1", "--retention", "7")
    assert done.code == 2
    assert "--retention" in done.err
    assert "such as 7d" in done.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("5m", 300),
        ("12h", 43_200),
        ("7d", 604_800),
        ("1.5d", 129_600),
        ("2w", 1_209_600),
    ],
)
def test_durations(text: str, expected: float) -> None:
    """A number and a unit."""
    assert seconds(text, "--retention") == expected


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0d", "7 days", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is an error."""
    with pytest.raises(typer.BadParameter):
        seconds(text, "--retention")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (2.5e12, "2.5 TB"),
        (5e18, "5,000.0 PB"),
    ],
)
def test_sizes(count: float, expected: str) -> None:
    """Powers of ten, one digit after the point."""
    assert size(count) == expected
