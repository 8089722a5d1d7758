"""May this contract replace that one? Fully compatible, transitively, inside a major.

Old and new readers must both read old and new records. So a change may add optional fields
and nothing else; whatever needs more is published as the next major beside the old one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_WORDS = {"$id", "$schema", "$comment", "$defs", "title", "description", "examples"}
_SHAPE = {"$ref", "type", "anyOf", "enum", "properties", "required", "items"}
_LOWER_LIMITS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_LIMITS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """List what forbids ``new`` to replace ``old``; both are documents that we export.

    Each line names the type, the field, the rule and the way out. An empty list means that
    every old and new reader reads every old and new record.
    """
    name, major = str(old["$id"]).split(":")[-2:]
    next_major = int(major.removeprefix("v")) + 1
    return [
        f"{name}.{major}: {difference}, or publish v{next_major}"
        for difference in _Pair(old, new).differences("", old, new)
    ]


def contract_incompatibilities(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """Compare two whole contracts: path -> content, as ``contract.documents`` makes them.

    Only JSON Schemas are compared: the other files explain them. A type may be added.
    """
    problems: list[str] = []
    for path in sorted(p for p in old if p.endswith(".schema.json")):
        try:
            before = json.loads(old[path])
        except ValueError as error:
            problems.append(f"{path}: not JSON ({error}): restore it from version control")
            continue
        if path in new:
            problems += incompatibilities(before, json.loads(new[path]))
        else:
            problems.append(f"{path}: the type was removed or renamed: keep publishing it")
    return problems


@dataclass(frozen=True)
class _Pair:
    """Two documents, walked in step; a difference says what changed and what to do instead."""

    old_document: Schema
    new_document: Schema

    def differences(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        old, new = _resolve(self.old_document, old), _resolve(self.new_document, new)
        before, after = _kind(self.old_document, old), _kind(self.new_document, new)
        if before != after:
            yield f"{_named(path)} changed from {before} to {after}: add a new optional field"
            return
        yield from _enum(path, old, new)
        yield from _keywords(path, old, new)
        yield from _required(path, old, new)
        yield from self._fields(path, old, new)
        yield from self._parts(path, old, new)

    def _fields(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(before):
            if name in after:
                yield from self.differences(_join(path, name), before[name], after[name])
            else:
                yield f"{_named(_join(path, name))} was removed or renamed: keep it"

    def _parts(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        """Follow lists, maps and unions: ``_kind`` has seen to it that both sides have them."""
        if old.get("items"):
            yield from self.differences(f"{path}[]", old["items"], new["items"])
        if isinstance(old.get("additionalProperties"), dict):
            values = old["additionalProperties"], new["additionalProperties"]
            yield from self.differences(_join(path, "*"), *values)
        olds = _alternatives(self.old_document, old)
        news = _alternatives(self.new_document, new)
        for before, after in zip(olds, news, strict=True):
            yield from self.differences(path, before, after)


def _resolve(document: Schema, schema: Schema) -> Schema:
    """Follow a ``$ref`` into the document's own ``$defs``, the only kind that we export."""
    while "$ref" in schema:
        target: Schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = target | {key: value for key, value in schema.items() if key != "$ref"}
    return schema


def _kind(document: Schema, schema: Schema) -> str:
    """Say in words what a value is, deep enough to tell a changed type from a changed limit."""
    schema = _resolve(document, schema)
    if "anyOf" in schema:
        return " or ".join(sorted(_kind(document, part) for part in schema["anyOf"]))
    if "enum" in schema:
        return "a fixed set of values"
    if schema.get("items"):
        return f"list of {_kind(document, schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_kind(document, schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _alternatives(document: Schema, schema: Schema) -> list[Schema]:
    return sorted(schema.get("anyOf", []), key=lambda part: (_kind(document, part), str(part)))


def _enum(path: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = (json.dumps(sorted(side.get("enum", []), key=str)) for side in (old, new))
    if before != after:
        yield f"{_named(path)} changed its enum from {before} to {after}: keep the values"


def _required(path: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(after - before):
        yield f"{_named(_join(path, name))} became required: add it as optional"
    for name in sorted((before - after) & set(new.get("properties", {}))):
        yield f"{_named(_join(path, name))} became optional, old readers need it: keep it required"


def _keywords(path: str, old: Schema, new: Schema) -> Iterator[str]:
    for keyword in sorted((old.keys() | new.keys()) - _WORDS - _SHAPE):
        before, after = old.get(keyword), new.get(keyword)
        is_schema = keyword == "additionalProperties" and isinstance(before, dict)
        is_in_both = keyword in old and keyword in new
        if before == after or is_schema or (keyword == "default" and not is_in_both):
            continue  # a default that comes or goes is told by `required`
        change = f"from {json.dumps(before)} to {json.dumps(after)}"
        yield f"{_named(path)} {_verb(keyword, before, after)} {keyword} {change}: keep it"


def _verb(keyword: str, before: Any, after: Any) -> str:
    """Loosening is named too: it breaks the readers that still hold the old limit."""
    if keyword not in _LOWER_LIMITS | _UPPER_LIMITS:
        return "changed"
    if before is None or after is None:
        return "tightened" if before is None else "loosened"
    return "tightened" if (after > before) == (keyword in _LOWER_LIMITS) else "loosened"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _named(path: str) -> str:
    return f"field `{path}`" if path else "the record"
