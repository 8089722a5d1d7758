"""CloudEvents: our headers as the official SDK reads them, its envelopes as we read them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from schemas import samples
from schemas.cloudevents import ce_type, headers, schema_urn, unwrap
from schemas.events import EVENT_TYPES, CartAdded, Event
from schemas.results import RESULT_TYPES, CouponTrigger, DeadLetter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CART = samples.valid(CartAdded)
BARE = {k: v for k, v in CART.items() if k not in {"id", "type", "ts"}}
ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "event-7",
    "source": "/shop/carts",
    "type": "live.cart-added.v1",
    "time": "2026-01-31T20:15:30.250+08:00",
    "data": BARE,
}
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
a_time_ms = st.integers(0, 253_402_300_799_999)


class CouponTriggerV2(msgspec.Struct):
    """What a second major of a type looks like."""


def unwrapped(**changes: Any) -> Any:
    """Unwrap the envelope above with these attributes changed; UNSET leaves one out."""
    envelope = {k: v for k, v in (ENVELOPE | changes).items() if v is not msgspec.UNSET}
    event = unwrap(msgspec.json.encode(envelope))
    assert event is not None
    return msgspec.json.decode(event)


def read_by_sdk(made: list[tuple[str, bytes]], *, key: bytes | None, value: bytes) -> Any:
    """Parse a record in binary mode with the official SDK, which checks the attributes."""
    message = kafka.KafkaMessage(headers=dict(made), key=key, value=value)
    return kafka.from_binary(message, JSONFormat(), CloudEvent)


@pytest.mark.parametrize("result_type", RESULT_TYPES.values())
def test_sdk_reads_the_headers_of_every_output(result_type: type) -> None:
    """A consumer with the official SDK gets every attribute and the value as data."""
    made = headers(
        result_type,
        id="t-1",
        source="/livepulse/coupons",
        time_ms=1_767_182_520_007,
        subject="session-8042",
        partition_key="viewer-1f3a",
    )
    value = msgspec.json.encode(samples.valid(result_type))
    assert len(dict(made)) == len(made)
    event = read_by_sdk(made, key=b"viewer-1f3a", value=value)
    assert event.get_attributes() == {
        "specversion": "1.0",
        "id": "t-1",
        "source": "/livepulse/coupons",
        "type": ce_type(result_type),
        "time": datetime(2025, 12, 31, 12, 2, 0, 7_000, tzinfo=UTC),
        "subject": "session-8042",
        "partitionkey": "viewer-1f3a",
        "dataschema": schema_urn(result_type),
        "datacontenttype": "application/json",
    }
    assert event.get_data() == samples.valid(result_type)


@given(cause=names, source=names, subject=names, key=names, time_ms=a_time_ms)
def test_any_attribute_survives_the_way_to_the_sdk(
    *, cause: str, source: str, subject: str, key: str, time_ms: int
) -> None:
    """Ids of any script and any time from 1970 to 9999 arrive as they were."""
    made = headers(
        CouponTrigger, id=cause, source=source, time_ms=time_ms, subject=subject, partition_key=key
    )
    event = read_by_sdk(made, key=None, value=b"{}")
    assert (event.get_id(), event.get_source(), event.get_subject()) == (cause, source, subject)
    assert event.get_extension("partitionkey") == key
    assert event.get_time() == EPOCH + timedelta(milliseconds=time_ms)


@pytest.mark.parametrize("time_ms", [-1, 253_402_300_800_000])
def test_time_that_rfc_3339_cannot_write_is_left_out(time_ms: int) -> None:
    """A dead letter of a record without a timestamp, or with an absurd one, is still sent."""
    made = headers(
        DeadLetter, id="d", source="/x", time_ms=time_ms, subject="live.carts", partition_key="k"
    )
    assert "ce_time" not in dict(made)
    assert read_by_sdk(made, key=None, value=b"{}").get_id() == "d"


def test_major_is_part_of_type_and_schema_name() -> None:
    """Consumers tell a second major by type and by schema, and need not look inside."""
    assert ce_type(CouponTrigger) == "live.coupon-trigger.v1"
    assert ce_type(CouponTriggerV2) == "live.coupon-trigger.v2"
    assert schema_urn(CouponTriggerV2) == "urn:livepulse:CouponTrigger:v2"


@pytest.mark.parametrize("event_type", EVENT_TYPES)
@pytest.mark.parametrize("spelled", [ce_type, lambda event_type: event_type.__name__])
def test_envelope_of_the_sdk_becomes_the_bare_event(event_type: type[Event], spelled: Any) -> None:
    """Either spelling of the type in a real envelope gives the event that bare JSON gives."""
    sample = samples.valid(event_type)
    event = CloudEvent(
        {
            "id": sample["id"],
            "source": "/shop",
            "type": spelled(event_type),
            "time": EPOCH + timedelta(milliseconds=sample["ts"]),
        },
        {k: v for k, v in sample.items() if k not in {"id", "type", "ts"}},
    )
    bare = unwrap(kafka.to_structured(event, JSONFormat()).value)
    assert bare is not None
    expected = msgspec.convert(sample, event_type)
    assert msgspec.json.decode(bare, type=event_type) == expected


def test_what_data_says_wins_over_the_envelope() -> None:
    """Only what is missing is completed."""
    assert unwrapped(data=CART) == CART


def test_missing_fields_come_from_the_envelope() -> None:
    """Id, type and time are read from the envelope; time with its offset becomes epoch ms."""
    completed = {"id": "event-7", "type": "CartAdded", "ts": 1_769_861_730_250}
    assert unwrapped() == BARE | completed


def test_numbers_pass_through_as_they_were_written() -> None:
    """Unwrapping never rounds: 20 digits stay 20 digits."""
    data = b'{"id":"i","type":"CartAdded","ts":1,"unit_price":12345678901234567890.50}'
    assert unwrap(b'{"specversion":"1.0","data":%b}' % data) == data


@pytest.mark.parametrize(
    "value",
    [
        msgspec.json.encode(CART),
        msgspec.json.encode(CART | {"note": {"specversion": "1.0"}}),
        msgspec.json.encode(CART | {"text": '"specversion"'}),
        b'["specversion"]',
        b'{"specversion": "1.0"',
        b'{"specversion":"1.0","data":' + b"[" * 200_000,
        b"",
    ],
)
def test_what_is_no_envelope_is_left_to_the_decoder(value: bytes) -> None:
    """Bare events, and bytes that are no JSON object, are not ours to judge."""
    assert unwrap(value) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specversion": "0.3"}, "specversion: '0.3' is not supported; send CloudEvents '1.0'"),
        ({"specversion": 1.0}, "specversion: not a JSON string"),
        ({"id": msgspec.UNSET}, "id: missing"),
        ({"id": 7}, "id: not a JSON string"),
        ({"type": msgspec.UNSET}, "type: missing"),
        ({"type": "com.shop.cart"}, "type: 'com.shop.cart' is not an event of ours; write it as"),
        ({"type": "live.cart-added.v9"}, "type: 'live.cart-added.v9' is not an event of ours"),
        ({"time": msgspec.UNSET}, "time: missing"),
        ({"time": "yesterday"}, "time: 'yesterday' is not RFC 3339; write it as"),
        ({"time": "2026-01-31T20:15:30"}, "time: .* has no offset; end it with 'Z'"),
        ({"data": msgspec.UNSET}, "data: missing; send the event as a JSON object"),
        ({"data": '{"quantity": 1}'}, "data: not a JSON object"),
        ({"data": None}, "data: not a JSON object"),
        ({"data": msgspec.UNSET, "data_base64": "e30="}, "data_base64: not supported; send"),
    ],
)
def test_bad_envelope_names_the_field_and_the_fix(changes: dict[str, Any], message: str) -> None:
    """A producer can mend the envelope from the dead letter alone."""
    with pytest.raises(ValueError, match=message):
        unwrapped(**changes)


def test_envelope_that_is_not_utf8_is_an_error_of_its_field() -> None:
    """Broken bytes are no crash."""
    with pytest.raises(ValueError, match="id: not a JSON string"):
        unwrap(b'{"specversion":"1.0","id":"\xff","data":{}}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*ENVELOPE, "data_base64"]), json_values))
def test_any_envelope_is_unwrapped_or_refused_with_value_error(changes: dict[str, Any]) -> None:
    """Nothing that a producer sends may stop a worker; what comes out has the three fields."""
    try:
        event = unwrapped(**changes)
    except ValueError as error:
        named = str(error).partition(":")[0]
    else:
        named = "data"
        assert {"id", "type", "ts"} <= event.keys()
    assert named in {*ENVELOPE, "data_base64"}
