"""Bytes to events: one event or one rejection per record, whatever stands next to it."""

from collections.abc import Callable
from typing import Any, Union

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec import MAX_RECORD_BYTES, BatchDecoder, Rejection
from schemas.events import EVENT_TYPES, TOPICS, CartAdded, CommentPosted, Event, Heartbeat
from schemas.samples import EVENTS

DECODER = BatchDecoder(EVENT_TYPES)
GOOD = [msgspec.json.encode(event) for event in EVENTS]
BEAT = msgspec.json.encode(Heartbeat(id="b1", ts=1_000, session_id="s1", viewer_id="v1"))
TALK = msgspec.json.encode(
    CommentPosted(id="c1", ts=1_001, session_id="s1", viewer_id="v1", text="}{ a } { b")
)
CART = msgspec.json.encode(
    CartAdded(id="a1", ts=1, session_id="s", viewer_id="v", product_id="p", unit_price=9,
              currency="CNY")
)  # fmt: skip

_union: Any = Union[EVENT_TYPES]  # noqa: UP007 - a union made from a tuple
_one_event: Callable[[bytes], Event] = msgspec.json.Decoder(_union).decode


def alone(value: bytes | None) -> Event | Rejection:
    """Decode a record as if no other had come with it."""
    (only,) = DECODER.decode([value])
    return only


def with_field(field: bytes) -> bytes:
    """Give a good record with one more field, which is unknown and therefore ignored."""
    return BEAT[:-1] + b"," + field + b"}"


# --- a batch is its records ---------------------------------------------------------------------

_good = st.sampled_from([*GOOD, BEAT, TALK])
_cut = st.builds(lambda value, at: value[: at % len(value)], _good, st.integers(0, 10_000))
_tail = st.builds(lambda value, at: value[at % len(value) :], _good, st.integers(0, 10_000))
_joined = st.builds(
    lambda one, glue, two: one + glue + two,
    _good, st.sampled_from([b"", b" ", b",", b"\n", b"\r", b"\n\n", b"\t", b"\x00"]), _good,
)  # fmt: skip
_padded = st.builds(
    lambda before, value, after: before + value + after,
    st.sampled_from([b"", b" ", b"\n", b"\xef\xbb\xbf"]),
    _good,
    st.sampled_from([b"\n", b" ", b"}"]),
)  # fmt: skip
#: Pieces that could only be one value if they were read across the seam between two records.
_fusible = st.sampled_from(
    [
        with_field(b'"x":"')[:-1] + b"}", b'{"}', b"{}", b"{}}", b"{}]}", b"{", b"}", b"}{",
        with_field(b'"x":{')[:-1] + b"}", with_field(b'"x":[{')[:-1] + b"}", b"", b" ", b"\n",
        b'{"specversion":"1.0","id":"e","ts":1,"type":"Heartbeat","session_id":"s","viewer_id":"v"}',
    ]
)  # fmt: skip
_value = st.one_of(
    _good, _good, st.none(), st.binary(max_size=40), _cut, _tail, _joined, _padded, _fusible
)


@given(st.lists(_value, max_size=6))
@example([BEAT + BEAT])
@example([BEAT + b" " + TALK, BEAT])
@settings(max_examples=80, deadline=None)
def test_a_batch_decodes_to_what_each_record_decodes_to_alone(values: list[bytes | None]) -> None:
    """No record changes what its neighbours say."""
    assert list(DECODER.decode(values)) == [alone(value) for value in values]


@given(_value)
@settings(max_examples=80, deadline=None)
def test_a_record_is_an_event_exactly_when_the_whole_of_it_is_one(value: bytes | None) -> None:
    """An event stands in exactly one record, and a record holds at most one."""
    try:
        expected = _one_event(value)  # type: ignore[arg-type]
    except (TypeError, msgspec.DecodeError, UnicodeDecodeError):
        assert isinstance(alone(value), Rejection)
    else:
        assert alone(value) == expected


@pytest.mark.parametrize("record", [BEAT, TALK, CART], ids=["beat", "talk", "cart"])
def test_a_record_cut_in_two_never_becomes_an_event(record: bytes) -> None:
    """The two halves of a record, wherever it is cut, are two bad records between good ones."""
    for at in range(1, len(record)):
        before, first, second, after = DECODER.decode([BEAT, record[:at], record[at:], TALK])
        assert isinstance(first, Rejection)
        assert isinstance(second, Rejection)
        assert (before, after) == (alone(BEAT), alone(TALK))


@pytest.mark.parametrize("record", [BEAT, CART], ids=["beat", "cart"])
def test_fragments_with_braces_do_not_fuse_across_the_seam(record: bytes) -> None:
    """Halves that look like whole objects (they begin and end with braces) stay bad."""
    for at in range(1, len(record)):
        halves = [record[:at] + b"}", b"{" + record[at:]]
        assert list(DECODER.decode([BEAT, *halves])) == [alone(v) for v in (BEAT, *halves)]


def test_good_records_decode_in_one_call() -> None:
    """A batch of good records of every type comes back as the events that were encoded."""
    assert list(DECODER.decode(GOOD)) == list(EVENTS)


def test_no_records_give_no_events() -> None:
    """An empty batch is not an error."""
    assert list(DECODER.decode([])) == []


def test_a_large_batch_of_small_records_is_not_too_large() -> None:
    """The limit is on a record, not on a batch."""
    many: list[bytes | None] = [BEAT] * (MAX_RECORD_BYTES // len(BEAT) + 2)
    assert list(DECODER.decode(many)) == [alone(BEAT)] * len(many)


# --- what is wrong with a record ----------------------------------------------------------------

BAD: dict[str, tuple[bytes | None, str, str]] = {
    "invalid JSON": (BEAT[:-9], "invalid_json", "truncated"),
    "not JSON at all": (b"hello", "invalid_json", "byte 0"),
    "an empty value": (b"", "invalid_json", "truncated"),
    "two events": (BEAT + BEAT, "invalid_json", "trailing characters"),
    "invalid UTF-8": (TALK.replace(b" a ", b"\xff\xfe\xc3"), "invalid_utf8", "UTF-8"),
    "half a surrogate": (TALK.replace(b" a ", b"\\ud800"), "invalid_json", ""),
    "missing field": (BEAT.replace(b"viewer_id", b"watcher"), "missing_field", "`viewer_id`"),
    "missing type": (BEAT.replace(b'"type"', b'"kind"'), "missing_field", "`type`"),
    "wrong type": (CART.replace(b'"unit_price":9', b'"unit_price":"9"'), "invalid_field",
                   "`$.unit_price`"),
    "not an object": (b"[1]", "invalid_field", "`object`"),
    "unknown type": (BEAT.replace(b"Heartbeat", b"ViewerBeamed"), "unknown_type", "`$.type`"),
    "negative amount": (CART.replace(b":9", b":-9"), "invalid_field", "`$.unit_price`"),
    "empty id": (BEAT.replace(b'"b1"', b'""'), "invalid_field", "`$.id`"),
    "2 MB": (TALK.replace(b" a ", b"a" * (2 << 20)), "too_large", str(MAX_RECORD_BYTES)),
    "null value": (None, "null_value", "no value"),
    "too deep": (with_field(b'"x":' + b"[" * 50_000 + b"]" * 50_000), "invalid_json", "deep"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_says_what_to_mend(kind: str) -> None:
    """Each kind of bad record has its code, and a text that names the field."""
    value, reason, named = BAD[kind]
    rejection = alone(value)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason
    assert named in rejection.detail


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_costs_nothing_else(kind: str) -> None:
    """The good records before and after a bad one are events."""
    before, _, after = DECODER.decode([BEAT, BAD[kind][0], TALK])
    assert (before, after) == (alone(BEAT), alone(TALK))


def test_an_event_of_another_topic_is_refused_with_the_types_of_this_one() -> None:
    """Whoever sends to the wrong topic reads which types belong there."""
    (refused,) = BatchDecoder(TOPICS["live.carts"]).decode([BEAT])
    assert isinstance(refused, Rejection)
    assert refused.reason == "unknown_type"
    assert "CartAdded, CartRemoved" in refused.detail


def test_unknown_fields_are_ignored() -> None:
    """A producer may say more than we read."""
    assert alone(with_field(b'"x":{"y":[1,2]}')) == alone(BEAT)


# --- CloudEvents --------------------------------------------------------------------------------

ENVELOPE = b'{"specversion":"1.0","id":"b1","source":"/app","type":"live.heartbeat.v1","data":%b}'


def test_a_structured_cloud_event_is_its_event() -> None:
    """The event in `data` counts, in a batch with bare ones."""
    assert list(DECODER.decode([BEAT, ENVELOPE % BEAT, TALK])) == [
        alone(BEAT), alone(BEAT), alone(TALK),
    ]  # fmt: skip


def test_an_envelope_without_an_event_names_its_field() -> None:
    """A CloudEvent that carries no event of ours is refused as an envelope."""
    refused = alone(ENVELOPE % b"7")
    assert isinstance(refused, Rejection)
    assert refused.reason == "invalid_envelope"
    assert refused.detail.startswith("data")


def test_a_bad_event_in_an_envelope_is_refused_by_its_own_field() -> None:
    """What is wrong inside `data` is told as for a bare event."""
    refused = alone(ENVELOPE % BEAT.replace(b'"v1"', b'""'))
    assert isinstance(refused, Rejection)
    assert refused.reason == "invalid_field"
    assert "`$.viewer_id`" in refused.detail
