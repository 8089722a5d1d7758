"""`livepulse replay`: the same recording, the same triggers, byte for byte."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agents import recording
from agents.consumer import decode
from agents.simulator.scenario import Scenario
from agents.simulator.world import simulate
from schemas.results import CouponTrigger, RecommendationTrigger
from tests.agents.command_line import CommandLine

START_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of a session with bad, late and repeated records."""
    path = tmp_path_factory.mktemp("replay") / "session.jsonl"
    scenario = Scenario(
        start_ms=START_MS, duration_s=60, rate=120, sessions=2, viewers=2_000,
        duplicate_share=0.02, bad_share=0.01,
    )  # fmt: skip
    recording.write(path, simulate(scenario))
    return path


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """Return a shell in an empty directory."""
    return CommandLine(monkeypatch, capsys, tmp_path)


def _replay(path: Path, *, hash_seed: int, cwd: Path) -> bytes:
    command = [sys.executable, "-m", "agents.cli", "replay", str(path), "--json", "--decisions"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("LIVEPULSE_")}
    env["PYTHONHASHSEED"] = str(hash_seed)
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, check=True).stdout


def test_two_runs_are_byte_identical(recorded: Path, tmp_path: Path) -> None:
    """Nothing depends on the process: no clock, no dice, no order of a hash table."""
    first, second = (_replay(recorded, hash_seed=seed, cwd=tmp_path) for seed in (1, 2))
    assert first == second
    assert first.count(b'"trigger_id":') > 50


def test_json_lines_are_the_triggers(recorded: Path, shell: CommandLine) -> None:
    """Each line is what the topic would carry, in the order in which it was decided."""
    outcome = shell.run("replay", str(recorded), "--json")
    triggers = [decode(line.encode()) for line in outcome.out.splitlines()]
    assert {type(t) for t in triggers} == {CouponTrigger, RecommendationTrigger}
    assert all(START_MS <= t.decided_at < START_MS + 300_000 for t in triggers)
    assert len({t.trigger_id for t in triggers}) == len(triggers)


def test_decisions_are_printed_when_asked_for(recorded: Path, shell: CommandLine) -> None:
    """What was considered and not sent is there with its reason."""
    plain = shell.run("replay", str(recorded), "--json").out.splitlines()
    whole = shell.run("replay", str(recorded), "--json", "--decisions").out.splitlines()
    more = [msgspec.json.decode(line) for line in whole if line not in set(plain)]
    assert len(whole) == len(plain) + len(more)
    assert {"sent", "suppressed"} == {decision["outcome"] for decision in more}


def test_people_read_a_line_a_trigger(recorded: Path, shell: CommandLine) -> None:
    """Time, viewer, what and why."""
    lines = shell.run("replay", str(recorded)).out.splitlines()
    assert len(lines) == len(shell.run("replay", str(recorded), "--json").out.splitlines())
    assert all(line[:3] == "08:" and "because" in line for line in lines)


def test_the_summary_accounts_for_every_record(recorded: Path, shell: CommandLine) -> None:
    """Events, repeats and refused records add up to what was read."""
    outcome = shell.run("replay", str(recorded))
    numbers = [int(word) for word in outcome.err.replace(":", "").split() if word.isdigit()]
    records, events, repeats, refused = numbers[:4]
    assert records == events + repeats + refused == sum(1 for _ in recording.read(recorded))
    assert min(events, repeats, refused) > 0


def test_an_unknown_topic_is_named(recorded: Path, shell: CommandLine, tmp_path: Path) -> None:
    """The message says which line, which topic, and which there are."""
    lines = recorded.read_text().splitlines()[:2]
    path = tmp_path / "other.jsonl"
    path.write_text("\n".join([*lines, lines[0].replace("live.", "other.")]))
    outcome = shell.run("replay", str(path))
    assert outcome.code == 1
    assert f"{path}:3: `topic` 'other." in outcome.err
    assert "live.carts" in outcome.err


def test_a_broken_line_is_named(shell: CommandLine, tmp_path: Path) -> None:
    """A recording that was cut off is not silently half a recording."""
    path = tmp_path / "cut.jsonl"
    path.write_text('{"topic":"live.ca')
    outcome = shell.run("replay", str(path))
    assert (outcome.code, f"{path}:1:" in outcome.err) == (1, True)


def test_a_missing_file_is_a_usage_error(shell: CommandLine) -> None:
    """The name and the reason are told."""
    outcome = shell.run("replay", "nowhere.jsonl")
    assert outcome.code == 2
    assert "nowhere.jsonl: No such file" in outcome.err


def test_topics_are_those_of_the_settings(shell: CommandLine, tmp_path: Path) -> None:
    """A recording of topics with other names is read when the settings name them."""
    path = tmp_path / "mine.jsonl"
    value = {"id": "e1", "type": "Heartbeat", "ts": START_MS, "session_id": "s1", "viewer_id": "v1"}
    record = recording.Record("shop.visits", b"v1", msgspec.json.encode(value), START_MS)
    recording.write(path, [record])
    shell.set(topic_prefix="shop.")
    assert "1 records: 1 events" in shell.run("replay", str(path)).err


@pytest.mark.parametrize(
    "variables",
    [{"topic_prefix": "shop."}, {"topics": '{"ViewerEntered":"my.visits"}'}],
)
def test_what_simulate_records_can_be_replayed(
    shell: CommandLine, variables: dict[str, str]
) -> None:
    """Both commands know the topics of the settings, whatever they are called."""
    shell.set(**variables)
    written = shell.run("simulate", "--to-file", "live.jsonl", "--events", "2000", "--bad", "0")
    outcome = shell.run("replay", "live.jsonl")
    assert (written.code, outcome.code) == (0, 0)
    assert " 0 refused" in outcome.err
