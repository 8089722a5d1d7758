"""The example records: decoder and JSON Schema agree on every one of them, and beyond."""

from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import samples
from schemas.contract import json_schema
from schemas.events import EVENT_TYPES
from schemas.results import RESULT_TYPES

TYPES: tuple[type[msgspec.Struct], ...] = (*EVENT_TYPES, *RESULT_TYPES.values())
VALIDATORS = {t: jsonschema_rs.Draft202012Validator(json_schema(t)) for t in TYPES}
SPOILED = [(t, what) for t in EVENT_TYPES for what in samples.invalid(t)]


def decodes(record_type: type, record: Any) -> bool:
    """Say whether our own decoder takes the record."""
    try:
        msgspec.json.decode(msgspec.json.encode(record), type=record_type)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("record_type", TYPES)
def test_valid_sample_decodes_to_its_type(record_type: type) -> None:
    """What we publish as valid is valid for us."""
    encoded = msgspec.json.encode(samples.valid(record_type))
    assert msgspec.json.decode(encoded, type=record_type) in (*samples.EVENTS, *samples.RESULTS)


@pytest.mark.parametrize("record_type", TYPES)
def test_valid_sample_fits_its_json_schema(record_type: type) -> None:
    """What we publish as valid is valid for a team that reads only the schema."""
    VALIDATORS[record_type].validate(samples.valid(record_type))


@pytest.mark.parametrize(("event_type", "what"), SPOILED)
def test_invalid_sample_is_refused_by_the_decoder(event_type: type, what: str) -> None:
    """What we publish as invalid would become a dead letter."""
    assert not decodes(event_type, samples.invalid(event_type)[what])


@pytest.mark.parametrize(("event_type", "what"), SPOILED)
def test_invalid_sample_is_refused_by_its_json_schema(event_type: type, what: str) -> None:
    """A producer finds the mistake with the schema alone."""
    assert not VALIDATORS[event_type].is_valid(samples.invalid(event_type)[what])


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_event_type_shows_what_is_refused(event_type: type) -> None:
    """No input type is published without a counterexample."""
    assert samples.invalid(event_type)


def test_events_tell_one_story_in_order() -> None:
    """The samples can be replayed as one session: ids are unique and time only moves on."""
    times = [event.ts for event in samples.EVENTS]
    assert times == sorted(times)
    assert len({event.id for event in samples.EVENTS}) == len(EVENT_TYPES)


# Two known differences, which JSON Schema cannot express or Python reads otherwise: 3.0 is an
# integer in JSON Schema, and `$` matches before a last newline in Python.
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), 1 << 63)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
    | st.text().filter(lambda text: "\n" not in text)
    | st.sampled_from(["CNY", "sent", "10s", "amount_off"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4
)


@given(st.data())
def test_decoder_and_schema_agree_on_any_value_of_any_field(data: st.DataObject) -> None:
    """Whatever stands in a field, the published schema says what our decoder does."""
    record_type = data.draw(st.sampled_from(TYPES))
    record = samples.valid(record_type)
    record[data.draw(st.sampled_from(sorted(record)))] = data.draw(values)
    assert VALIDATORS[record_type].is_valid(record) == decodes(record_type, record)
