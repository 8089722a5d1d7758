"""The published contract, made from the structs: JSON Schemas, AsyncAPI and example files.

``documents`` gives all of it as path -> bytes, the same bytes every time; the command
``livepulse schemas export`` writes them, and they are committed beside this file.
"""

import inspect
import json
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from schemas import samples
from schemas.cloudevents import ce_type, headers, name_and_major, schema_urn
from schemas.events import TOPICS, ViewerErased, ViewerEvent
from schemas.results import (
    RESULT_TYPES,
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    RecommendationTrigger,
)

Json = dict[str, Any]

#: Every topic, with the types that it carries: first what comes in, then what goes out.
CHANNELS: dict[str, tuple[type[Struct], ...]] = {
    **TOPICS,
    **{topic: (result,) for topic, result in RESULT_TYPES.items()},
}


class Attributes(NamedTuple):
    """How the key and the CloudEvents attributes of an output are made of its fields."""

    key: str
    id: str
    subject: str
    time: str


_PLACE = "{topic}/{partition}/{offset}"
_ROW = "{session_id}|{scope}|{scope_id}|{window}|{start}"

RESULT_ATTRIBUTES: dict[type[Struct], Attributes] = {
    CouponTrigger: Attributes("{viewer_id}", "{trigger_id}", "{session_id}", "{decided_at}"),
    RecommendationTrigger: Attributes(
        "{viewer_id}", "{trigger_id}", "{session_id}", "{decided_at}"
    ),
    ConversionRow: Attributes(_ROW, _ROW + "|{revision}", "{session_id}", "{end}"),
    ChurnRow: Attributes("{viewer_id}", "{session_id}|{viewer_id}|{ts}", "{session_id}", "{ts}"),
    Decision: Attributes("{viewer_id}", "{decision_id}", "{session_id}", "{decided_at}"),
    DeadLetter: Attributes(_PLACE, _PLACE, "{topic}", "{ts}"),
}

_ABOUT = """\
What livepulse reads from and writes to Kafka. Every value is one JSON object in UTF-8.

Input: readers ignore fields that they do not know. A record may also be a CloudEvents 1.0
envelope in structured mode: the event is then the object in `data`, and `id`, `type` and `ts`
are taken from the envelope where `data` has none.

Output: CloudEvents 1.0 in binary mode, at least once to a reader that does not read
`read_committed`. `ce_id` is the same for the same cause: drop what you have seen.

Inside a major, types gain optional fields and change in no other way. The lists of codes and
keys in descriptions may grow: pass over what you do not know."""


def documents() -> dict[str, bytes]:
    """Make every file of the contract: path relative to ``schemas/`` -> content."""
    made = {"asyncapi.json": _bytes(asyncapi())}
    for record_type in (t for types in CHANNELS.values() for t in types):
        name = file_name(record_type)
        made[f"json/{name}.schema.json"] = _bytes(json_schema(record_type))
        made[f"examples/{name}/valid.json"] = _bytes(samples.valid(record_type))
        for what, record in samples.invalid(record_type).items():
            made[f"examples/{name}/invalid-{what}.json"] = _bytes(record)
    return made


def file_name(record_type: type) -> str:
    """Name a type and its major as files do: ``CartAdded.v1``."""
    name, major = name_and_major(record_type)
    return f"{name}.v{major}"


def json_schema(record_type: type[Struct]) -> Json:
    """Describe one type in JSON Schema 2020-12, complete in itself."""
    _, components = msgspec.json.schema_components([record_type], ref_template="#/$defs/{name}")
    definitions: Json = _tidy(components)
    root: Json = definitions.pop(record_type.__name__)
    return root | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_urn(record_type),
        "title": file_name(record_type),
        "$defs": definitions,
    }


def asyncapi() -> Json:
    """Describe every topic, message and operation in AsyncAPI 3.0, as seen by livepulse."""
    types = [t for types in CHANNELS.values() for t in types]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "id": "urn:livepulse",
        "info": {"title": "livepulse", "version": "1", "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in CHANNELS},
        "operations": dict(_operation(topic) for topic in CHANNELS),
        "components": {
            "schemas": _tidy(schemas),
            "messages": {t.__name__: _message(t) for t in types},
        },
    }


def _channel_id(topic: str) -> str:
    """Tools turn channel keys into identifiers, and some refuse dots in them."""
    return topic.replace(".", "_").replace("-", "_")


def _channel(topic: str) -> Json:
    return {
        "address": topic,
        "messages": {
            t.__name__: {"$ref": f"#/components/messages/{t.__name__}"} for t in CHANNELS[topic]
        },
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
    }


def _operation(topic: str) -> tuple[str, Json]:
    action = "receive" if topic in TOPICS else "send"
    channel = f"#/channels/{_channel_id(topic)}"
    return f"{action}_{_channel_id(topic)}", {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{t.__name__}"} for t in CHANNELS[topic]],
    }


def _message(record_type: type[Struct]) -> Json:
    example: Json = {"name": "valid", "payload": samples.valid(record_type)}
    message: Json = {
        "name": ce_type(record_type),
        "title": file_name(record_type),
        "summary": inspect.cleandoc(record_type.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{record_type.__name__}"},
        "bindings": {"kafka": {"key": _key(record_type), "bindingVersion": "0.5.0"}},
        "examples": [example],
    }
    if record_type in RESULT_ATTRIBUTES:
        message["headers"] = _headers_schema(record_type)
        example["headers"] = _headers_example(record_type)
    return message


def _key(record_type: type[Struct]) -> Json:
    if record_type in RESULT_ATTRIBUTES:
        made_of = RESULT_ATTRIBUTES[record_type].key
    else:
        made_of = (
            "{viewer_id}" if issubclass(record_type, ViewerEvent | ViewerErased) else "{session_id}"
        )
    return {"type": "string", "description": f"made of the fields: {made_of}"}


def _headers_schema(record_type: type[Struct]) -> Json:
    made_of = RESULT_ATTRIBUTES[record_type]
    fixed = {
        "ce_specversion": "1.0",
        "ce_type": ce_type(record_type),
        "ce_dataschema": schema_urn(record_type),
        "content-type": "application/json",
    }
    varying = {
        "ce_id": f"{made_of.id}: a repeat has the same; drop what you have seen",
        "ce_source": "which task of livepulse made the record: /<application>/<partition>",
        "ce_subject": made_of.subject,
        "ce_partitionkey": f"{made_of.key}: the record's key",
        "ce_time": f"{made_of.time} as RFC 3339 in UTC; left out when it cannot be written",
    }
    return {
        "type": "object",
        "properties": {name: {"type": "string", "const": text} for name, text in fixed.items()}
        | {name: {"type": "string", "description": text} for name, text in varying.items()},
        "required": sorted((fixed.keys() | varying.keys()) - {"ce_time"}),
    }


def _headers_example(record_type: type[Struct]) -> Json:
    record = samples.valid(record_type)
    made_of = RESULT_ATTRIBUTES[record_type]
    made = headers(
        record_type,
        id=made_of.id.format_map(record),
        source="/livepulse/3",
        time_ms=int(made_of.time.format_map(record)),
        subject=made_of.subject.format_map(record),
        partition_key=made_of.key.format_map(record),
    )
    return {name: value.decode() for name, value in made}


def _tidy(schema: Any) -> Any:
    """Take the source code's indentation out of descriptions, at any depth."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: inspect.cleandoc(value)
        if key == "description" and isinstance(value, str)
        else _tidy(value)
        for key, value in schema.items()
    }


def _bytes(document: Json) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
