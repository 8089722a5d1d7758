"""The differ: every change that breaks a reader is named, and no other change is."""

import json
from copy import deepcopy
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct, defstruct

from schemas.compatibility import contract_incompatibilities, incompatibilities
from schemas.contract import documents, json_schema

PUBLISHED = {
    path: json.loads(content)
    for path, content in documents().items()
    if path.endswith(".schema.json")
}

Field = tuple[Any, ...]


class Part(Struct):
    """What a record holds inside."""

    sku: str
    note: str = ""


class NumberedPart(Struct):
    """The same, with another type in it: a break."""

    sku: int
    note: str = ""


class BiggerPart(Struct):
    """The same, with an optional field more: no break, and neither is its new name."""

    sku: str
    note: str = ""
    size: int | None = None


def sold(*fields: Field) -> dict[str, Any]:
    """Export a type ``Sold`` that has these fields, each (type,) or (type, default), as `f`."""
    named = [("f", *field) if i == 0 else (f"g{i}", *field) for i, field in enumerate(fields)]
    return json_schema(defstruct("Sold", [("id", str), *named], kw_only=True))


def limited(kind: Any, **limits: Any) -> Field:
    """Describe a required field with limits."""
    return (Annotated[kind, Meta(**limits)],)


BREAKING: dict[str, tuple[list[Field], list[Field], str]] = {
    "required field added": ([], [(int,)], "field `f` became required: add it as optional"),
    "optional becomes required": ([(int, 1)], [(int,)], "field `f` became required"),
    "required becomes optional": ([(int,)], [(int, 1)], "field `f` became optional"),
    "removed": ([(int,)], [], "field `f` was removed or renamed: keep it"),
    "optional removed": ([(int, 1)], [], "field `f` was removed or renamed: keep it"),
    "retyped": ([(int,)], [(str,)], "field `f` changed from integer to string: add a new"),
    "integer to float": ([(int,)], [(float,)], "field `f` changed from integer to number"),
    "made nullable": ([(str,)], [(str | None,)], "changed from string to null or string"),
    "null taken away": ([(str | None,)], [(str,)], "changed from null or string to string"),
    "list of another type": (
        [(list[int],)],
        [(list[str],)],
        "field `f` changed from list of integer to list of string",
    ),
    "list becomes untyped": ([(list[int],)], [(list[Any],)], "from list of integer to array"),
    "map of another type": (
        [(dict[str, int],)],
        [(dict[str, str],)],
        "field `f` changed from map of integer to map of string",
    ),
    "enum value added": (
        [(Literal["a"],)],
        [(Literal["a", "b"],)],
        'field `f` changed its enum from ["a"] to ["a", "b"]: keep the values',
    ),
    "enum value removed": ([(Literal["a", "b"],)], [(Literal["a"],)], "field `f` changed its enum"),
    "enum becomes text": ([(Literal["a"],)], [(str,)], "from a fixed set of values to string"),
    "maximum lowered": (
        [limited(int, le=9)],
        [limited(int, le=8)],
        "field `f` tightened maximum from 9 to 8: keep it",
    ),
    "maximum raised": ([limited(int, le=9)], [limited(int, le=10)], "`f` loosened maximum"),
    "maximum new": ([(int,)], [limited(int, le=8)], "`f` tightened maximum from null to 8"),
    "maximum gone": ([limited(int, le=9)], [(int,)], "`f` loosened maximum from 9 to null"),
    "minimum raised": ([limited(int, ge=0)], [limited(int, ge=1)], "`f` tightened minimum"),
    "minimum lowered": ([limited(int, ge=1)], [limited(int, ge=0)], "`f` loosened minimum"),
    "shorter text": (
        [limited(str, max_length=9)],
        [limited(str, max_length=8)],
        "field `f` tightened maxLength from 9 to 8",
    ),
    "fewer items": (
        [limited(list[int], min_length=1)],
        [limited(list[int], min_length=2)],
        "field `f` tightened minItems from 1 to 2",
    ),
    "limit inside a nullable": (
        [(Annotated[str, Meta(max_length=9)] | None,)],
        [(Annotated[str, Meta(max_length=8)] | None,)],
        "field `f` tightened maxLength from 9 to 8",
    ),
    "limit inside a map": (
        [(dict[str, Annotated[int, Meta(le=9)]],)],
        [(dict[str, Annotated[int, Meta(le=8)]],)],
        "field `f.*` tightened maximum from 9 to 8",
    ),
    "pattern": (
        [limited(str, pattern="^a")],
        [limited(str, pattern="^b")],
        'field `f` changed pattern from "^a" to "^b"',
    ),
    "default": ([(int, 1)], [(int, 2)], "field `f` changed default from 1 to 2: keep it"),
    "nested retyped": (
        [(tuple[Part, ...],)],
        [(tuple[NumberedPart, ...],)],
        "field `f[].sku` changed from string to integer",
    ),
}


@pytest.mark.parametrize("case", BREAKING)
def test_breaking_change_is_named_with_rule_and_way_out(case: str) -> None:
    """Each rule: the message names type, field and rule, and offers the next major."""
    old, new, message = BREAKING[case]
    problems = incompatibilities(sold(*old), sold(*new))
    assert len(problems) == 1
    assert problems[0].startswith("Sold.v1: ")
    assert message in problems[0]
    assert problems[0].endswith(", or publish v2")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([], [(int, 1)]),
        ([(int,)], [(int,), (str | None, None)]),
        ([(Part,)], [(BiggerPart,)]),
        ([(Part | None, None)], [(BiggerPart | None, None)]),
        ([(dict[str, Part],)], [(dict[str, BiggerPart],)]),
        ([(int,)], [(Annotated[int, Meta(description="pieces", examples=[3])],)]),
        ([(Literal["a", "b"],)], [(Literal["b", "a"],)]),
        ([(str | None,)], [(None | str,)]),
    ],
)
def test_optional_addition_and_explanation_pass(old: list[Field], new: list[Field]) -> None:
    """New optional fields at any depth, words and order of writing break nobody."""
    assert incompatibilities(sold(*old), sold(*new)) == []


def test_several_breaks_are_all_told() -> None:
    """Nobody has to mend one to learn of the next."""
    old = sold((int,), (str,))
    problems = incompatibilities(old, sold((str,)))
    assert [p.split("`")[1] for p in problems] == ["f", "g1"]


def test_way_out_of_a_second_major_is_the_third() -> None:
    """The advice counts on from the type's own major."""

    class SoldV2(Struct):
        id: str

    class Other(Struct):
        id: int

    (problem,) = incompatibilities(json_schema(SoldV2), json_schema(Other))
    assert problem.startswith("Sold.v2: ")
    assert problem.endswith("or publish v3")


@given(st.sampled_from(sorted(PUBLISHED)), st.data())
def test_any_published_type_may_gain_an_optional_field(path: str, data: st.DataObject) -> None:
    """Optional additions pass for every type, wherever they are made."""
    new = deepcopy(PUBLISHED[path])
    struct = data.draw(st.sampled_from([new, *new["$defs"].values()]))
    struct["properties"]["a_new_one"] = {"type": data.draw(st.sampled_from(["string", "array"]))}
    assert incompatibilities(PUBLISHED[path], new) == []


@given(st.sampled_from(sorted(PUBLISHED)), st.data())
def test_no_field_of_a_published_type_can_go(path: str, data: st.DataObject) -> None:
    """Whatever field is taken out of any type, also of a nested one, is missed."""
    new = deepcopy(PUBLISHED[path])
    struct = data.draw(st.sampled_from([new, *new["$defs"].values()]))
    gone = data.draw(st.sampled_from(sorted(struct["properties"])))
    del struct["properties"][gone]
    struct["required"] = [name for name in struct["required"] if name != gone]
    problems = incompatibilities(PUBLISHED[path], new)
    assert any(f"{gone}` was removed" in problem for problem in problems)


def test_contract_misses_a_removed_type() -> None:
    """A type that is no longer published is a break, whatever its name was."""
    old = documents()
    new = {path: content for path, content in old.items() if "CartAdded" not in path}
    (problem,) = contract_incompatibilities(old, new)
    assert problem.startswith("json/CartAdded.v1.schema.json: the type was removed or renamed")


def test_contract_may_gain_a_type_and_change_its_examples() -> None:
    """Only schemas promise something."""
    new = documents()
    old = {path: content for path, content in new.items() if "CartAdded" not in path}
    old["examples/LikesSent.v1/valid.json"] = b"{}"
    assert contract_incompatibilities(old, new) == []


def test_unreadable_committed_schema_is_a_problem_and_no_crash() -> None:
    """A file with merge marks is named with the way to mend it."""
    old = {"json/CartAdded.v1.schema.json": b"<<<<<<< ours"}
    (problem,) = contract_incompatibilities(old, documents())
    assert "not JSON" in problem
    assert problem.endswith("restore it from version control")
