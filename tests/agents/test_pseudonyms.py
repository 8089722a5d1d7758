"""Pseudonyms: the raw id ends at the decoder, and each viewer keeps one name."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import recording
from agents.engine.decoders import decoders
from agents.pseudonyms import PREFIX, pseudonym, renaming
from agents.settings import Settings, SettingsError
from agents.simulator.scenario import Scenario
from agents.simulator.world import simulate
from schemas.codec import Decoder, Rejection
from schemas.events import CommentPosted, Id
from streams.partitioner import partition_of
from tests.agents.command_line import CommandLine

KEY = "k" * 32
PARTITIONS = 4
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)


def decoder(partition: int, key: str | None = KEY) -> Decoder:
    """Return the decoder of comments of one task."""
    plain = decoders(Settings())
    return renaming(plain, key, partition=partition, partitions=PARTITIONS)["live.comments"]


def comment(viewer_id: str) -> bytes:
    """Return a comment as it comes in."""
    return msgspec.json.encode(
        CommentPosted(id="c", ts=1, session_id="s", viewer_id=viewer_id, text="hi")
    )


def test_it_is_an_hmac_of_the_id_for_this_purpose() -> None:
    """Whoever has the key can compute it with any HMAC-SHA-256."""
    digest = hmac.new(KEY.encode(), b"livepulse viewer\0v-1", hashlib.sha256).digest()
    assert pseudonym(KEY, "v-1") == PREFIX + urlsafe_b64encode(digest[:18]).decode()


@given(IDS)
def test_events_carry_the_pseudonym_and_nothing_else_changes(viewer_id: str) -> None:
    """What is decoded is the event, but for the name of the viewer."""
    task = decoder(partition_of(viewer_id, PARTITIONS))
    (event,) = task.decode([comment(viewer_id)])
    if viewer_id.startswith(PREFIX):
        assert isinstance(event, Rejection)
    else:
        renamed = CommentPosted(
            id="c", ts=1, session_id="s", viewer_id=pseudonym(KEY, viewer_id), text="hi"
        )
        assert event == renamed


@given(IDS)
def test_a_pseudonym_is_a_valid_id_without_the_raw_one(viewer_id: str) -> None:
    """It fits the contract of ids, however long the raw one is, and says nothing of it."""
    name = msgspec.convert(pseudonym(KEY, viewer_id), Id)
    assert len(name) == len(PREFIX) + 24
    assert len(viewer_id) < 5 or viewer_id not in name


def test_another_key_makes_another_name() -> None:
    """Without the key nobody can try ids out."""
    assert pseudonym(KEY, "v") != pseudonym("j" * 32, "v")


def test_a_viewer_of_another_task_is_refused_as_without_a_key() -> None:
    """The partition is that of the raw id, which only the decoder knows."""
    right = partition_of("v", PARTITIONS)
    (event,) = decoder((right + 1) % PARTITIONS).decode([comment("v")])
    assert isinstance(event, Rejection)
    assert event.reason == "wrong_partition"
    assert f"partition {right}" in event.detail


def test_a_pseudonym_that_comes_back_is_refused() -> None:
    """A service that reports an outcome must map it back first; the reason says so."""
    name = pseudonym(KEY, "v")
    (event,) = decoder(partition_of(name, PARTITIONS)).decode([comment(name)])
    assert isinstance(event, Rejection)
    assert "viewer's own" in event.detail


def test_bad_records_stay_what_they_are() -> None:
    """A record that cannot be decoded has no viewer to rename."""
    (event,) = decoder(0).decode([b"{"])
    assert isinstance(event, Rejection)
    assert event.reason == "invalid_json"


def test_without_a_key_the_decoders_are_the_plain_ones() -> None:
    """Who does not ask for pseudonyms pays nothing."""
    plain = decoders(Settings())
    assert renaming(plain, None, partition=0, partitions=PARTITIONS) is plain


def test_a_short_key_is_refused() -> None:
    """A key that can be guessed would give everybody away."""
    with pytest.raises(SettingsError, match="openssl rand") as refused:
        Settings(pseudonym_key="secret")
    assert refused.value.variable == "LIVEPULSE_PSEUDONYM_KEY"


def test_the_key_is_never_shown() -> None:
    """It is a secret like a password."""
    settings = Settings(pseudonym_key=KEY)
    assert KEY not in repr(settings)
    assert settings.masked()["pseudonym_key"] == "***"


def test_a_replay_gives_the_triggers_that_the_worker_gave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the key a recording of raw ids leads to triggers for pseudonyms."""
    file = tmp_path / "session.jsonl"
    scenario = Scenario(start_ms=1_800_000_000_000, duration_s=60, rate=60, viewers=1_000)
    recording.write(file, simulate(scenario))
    raw = {e["viewer_id"] for r in recording.read(file) if "viewer_id" in (e := _value(r))}
    shell = CommandLine(monkeypatch, capsys, tmp_path)
    shell.set(pseudonym_key=KEY)
    lines = shell.run("replay", str(file), "--json").out.splitlines()
    named = {msgspec.json.decode(line)["viewer_id"] for line in lines}
    assert named
    assert named <= {pseudonym(KEY, viewer) for viewer in raw}


def _value(record: recording.Record) -> dict[str, str]:
    try:
        decoded = msgspec.json.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}  # broken on purpose
    return decoded if isinstance(decoded, dict) else {}
