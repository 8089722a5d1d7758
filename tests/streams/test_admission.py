"""What may enter by its time: held against the record's own timestamp, limits included."""

import pytest

from schemas.codec import Rejection
from schemas.events import Heartbeat
from streams.admission import admit
from streams.policy import Policy
from streams.records import Record

NOW = 1_760_000_000_000
HOUR = 3_600_000


def admitted(ts: int) -> Heartbeat | Rejection:
    """Admit a heartbeat of this time that arrived now."""
    record = Record("live.visits", 0, 7, NOW, b"v", b"{}")
    beat = Heartbeat(id="e", ts=ts, session_id="s", viewer_id="v")
    ((event, brought_by),) = admit([beat], [record], Policy())
    assert brought_by is record
    assert isinstance(event, (Heartbeat, Rejection))
    return event


@pytest.mark.parametrize("ts", [NOW - 24 * HOUR, NOW - 1, NOW, NOW + 30_000])
def test_an_event_within_the_limits_enters(ts: int) -> None:
    """From 24 h ago to 30 s ahead, both included."""
    assert isinstance(admitted(ts), Heartbeat)


@pytest.mark.parametrize("ahead_ms", [30_001, 31_000, 10 * HOUR])
def test_an_event_from_the_future_is_refused(ahead_ms: int) -> None:
    """The rejection names `ts` and how far ahead it is."""
    refused = admitted(NOW + ahead_ms)
    assert isinstance(refused, Rejection)
    assert refused.reason == "future"
    assert f"`ts` is {ahead_ms} ms ahead" in refused.detail


@pytest.mark.parametrize("old_ms", [24 * HOUR + 1, 25 * HOUR])
def test_an_event_of_the_day_before_is_refused(old_ms: int) -> None:
    """The rejection names `ts` and how old it is."""
    refused = admitted(NOW - old_ms)
    assert isinstance(refused, Rejection)
    assert refused.reason == "too_old"
    assert f"`ts` is {old_ms} ms old" in refused.detail


@pytest.mark.parametrize("timestamp", [-1, 0, NOW])
def test_what_could_not_be_decoded_keeps_its_own_reason(timestamp: int) -> None:
    """A rejection has no time, so its time cannot be wrong, whatever the record says."""
    bad = Rejection("invalid_json", "byte 0")
    record = Record("live.visits", 0, 7, timestamp, None, b"x")
    assert admit([bad], [record], Policy()) == [(bad, record)]
