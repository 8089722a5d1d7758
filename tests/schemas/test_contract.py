"""The published contract: committed as generated, valid, complete; and the command for it."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

import schemas
from agents.commands.schemas import app
from agents.engine.output import Output
from agents.settings import Settings
from schemas import samples
from schemas.codec import BatchDecoder, Rejection
from schemas.contract import asyncapi, documents
from schemas.events import TOPICS
from schemas.results import (
    RESULT_TYPES,
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    RecommendationTrigger,
)
from streams.records import Record
from streams.results import Results

COMMITTED = Path(schemas.__file__).parent
DOCUMENTS = documents()
SCHEMAS = {p: json.loads(c) for p, c in DOCUMENTS.items() if p.endswith(".schema.json")}
ASYNCAPI = asyncapi()
CART = "json/CartAdded.v1.schema.json"


def references(node: Any) -> Iterator[str]:
    """Yield every ``$ref`` in a document."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def resolved(document: Any, reference: str) -> Any:
    """Follow a reference inside the document, through references on its way."""
    node = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return resolved(document, node["$ref"]) if "$ref" in node else node


def test_committed_files_are_what_the_structs_say() -> None:
    """No drift: on failure run ``livepulse schemas export``."""
    patterns = ("asyncapi.json", "json/**/*", "examples/**/*")
    files = (p for pattern in patterns for p in COMMITTED.glob(pattern) if p.is_file())
    committed = {p.relative_to(COMMITTED).as_posix(): p.read_bytes() for p in files}
    assert sorted(committed) == sorted(DOCUMENTS)
    assert [name for name in DOCUMENTS if committed[name] != DOCUMENTS[name]] == []


def test_bytes_do_not_depend_on_the_process() -> None:
    """Another process with another hash seed makes the same bytes."""
    code = "import schemas.contract as c, zlib; print(zlib.crc32(repr(c.documents()).encode()))"
    run = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=COMMITTED.parent,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert run[0] == run[1]


def test_files_are_utf8_json_with_a_newline_at_the_end() -> None:
    """Files read well in any editor and diff line by line."""
    for content in DOCUMENTS.values():
        assert json.loads(content) is not None
        assert content.endswith(b"}\n")


@pytest.mark.parametrize("path", SCHEMAS)
def test_schema_is_valid_2020_12_with_identity_and_description(path: str) -> None:
    """Every schema is a schema, says which, and explains itself in one piece."""
    schema = SCHEMAS[path]
    name, major, *_ = Path(path).name.split(".")
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"].endswith("/2020-12/schema")
    assert schema["$id"] == f"urn:livepulse:{name}:{major}"
    assert schema["title"] == f"{name}.{major}"
    assert schema["description"]
    assert all(resolved(schema, reference) for reference in references(schema))


def test_every_type_has_a_schema_and_a_valid_example() -> None:
    """Nothing that flows is unpublished."""
    types = [*(t for types in TOPICS.values() for t in types), *RESULT_TYPES.values()]
    for record_type in types:
        assert f"json/{record_type.__name__}.v1.schema.json" in DOCUMENTS
        assert f"examples/{record_type.__name__}.v1/valid.json" in DOCUMENTS


def test_asyncapi_references_resolve() -> None:
    """No reference points nowhere."""
    found = list(references(ASYNCAPI))
    assert len(found) > 100
    assert all(resolved(ASYNCAPI, reference) for reference in found)


def test_every_topic_is_a_channel_with_its_messages_and_its_operation() -> None:
    """Readers find each topic once, what it carries, and whether we read or write it."""
    carried = TOPICS | {topic: (result,) for topic, result in RESULT_TYPES.items()}
    addresses = {channel["address"]: key for key, channel in ASYNCAPI["channels"].items()}
    assert addresses.keys() == carried.keys()
    for topic, types in carried.items():
        key = addresses[topic]
        action = "receive" if topic in TOPICS else "send"
        names = {t.__name__ for t in types}
        assert key.replace("_", "").isalnum()
        assert ASYNCAPI["channels"][key]["messages"].keys() == names
        operation = ASYNCAPI["operations"][f"{action}_{key}"]
        assert operation["channel"] == {"$ref": f"#/channels/{key}"}
        assert len(operation["messages"]) == len(names)


def test_key_of_every_record_is_made_of_its_fields() -> None:
    """The documented Kafka key can be made of the value."""
    for message in ASYNCAPI["components"]["messages"].values():
        description = message["bindings"]["kafka"]["key"]["description"]
        payload = message["examples"][0]["payload"]
        assert "{" in description
        assert "{" not in description.format_map(payload)


def test_documented_attributes_are_those_that_a_task_sends() -> None:
    """Key, id, subject and time in the document are what the real output writes."""
    letter = samples.valid(DeadLetter)
    place = letter["topic"], letter["partition"], letter["offset"], letter["ts"]
    value = b64decode(letter["raw"])
    record = Record(*place, key=b"viewer-1f3a", value=value)
    (why,) = BatchDecoder(TOPICS[record.topic]).decode([value])
    assert isinstance(why, Rejection)
    by_type: dict[type, Any] = {type(sample): sample for sample in samples.RESULTS}
    results = Results(
        coupons=[by_type[CouponTrigger]],
        recommendations=[by_type[RecommendationTrigger]],
        decisions=[by_type[Decision]],
        churn=[by_type[ChurnRow]],
        rows=[by_type[ConversionRow]],
        refused=[(record, why)],
    )
    sent = {out.topic: out for out in Output(Settings(), 3, 4).results(results)}
    assert sent.keys() == RESULT_TYPES.keys()
    for topic, out in sent.items():
        example = ASYNCAPI["components"]["messages"][RESULT_TYPES[topic].__name__]["examples"][0]
        assert {name: value.decode() for name, value in out.headers or []} == example["headers"]
        assert json.loads(out.value or b"") == example["payload"]
        assert (out.key or b"").decode() == example["headers"]["ce_partitionkey"]


@pytest.mark.parametrize("name", [t.__name__ for t in RESULT_TYPES.values()])
def test_output_headers_example_fits_its_headers_schema(name: str) -> None:
    """The headers that our own code makes are those that we document."""
    message = ASYNCAPI["components"]["messages"][name]
    (example,) = message["examples"]
    jsonschema_rs.validate(message["headers"], example["headers"])
    assert message["headers"]["properties"].keys() == example["headers"].keys()


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """Give a directory that holds the contract as exported."""
    for name, content in DOCUMENTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def livepulse_schemas(*arguments: object) -> Any:
    """Run the command as a user would; stdout and stderr are apart."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def edit(directory: Path, change: dict[str, Any]) -> None:
    """Make the committed CartAdded say something else of its quantity."""
    schema = json.loads((directory / CART).read_bytes())
    schema["properties"]["quantity"] |= change
    (directory / CART).write_text(json.dumps(schema))


def test_check_passes_on_the_committed_contract(committed: Path) -> None:
    """Fine is exit 0, and standard output stays clean."""
    result = livepulse_schemas("check", "--dir", committed)
    assert (result.exit_code, result.stdout) == (0, "")


def test_check_names_the_drifted_file_and_the_command_that_mends_it(committed: Path) -> None:
    """Drift is exit 3 with file, diff and cure."""
    path = committed / "examples/LikesSent.v1/valid.json"
    path.write_text(path.read_text().replace('"count": 12', '"count": 13'))
    result = livepulse_schemas("check", "--dir", committed)
    assert result.exit_code == 3
    assert f"changed: {path}" in result.stderr
    assert '-  "count": 13,' in result.stderr
    assert f"livepulse schemas export --dir {committed}" in result.stderr


def test_check_names_the_incompatible_field(committed: Path) -> None:
    """A committed promise that the structs break is named by type, field and rule."""
    edit(committed, {"type": "string"})
    result = livepulse_schemas("check", "--dir", committed)
    assert result.exit_code == 3
    assert "CartAdded.v1: field `quantity` changed from string to integer" in result.stderr


def test_check_compares_with_another_release(committed: Path, tmp_path: Path) -> None:
    """``--against`` finds what an export with --allow-breaking has covered up."""
    release = tmp_path / "release"
    (release / "json").mkdir(parents=True)
    (release / CART).write_bytes(DOCUMENTS[CART])
    edit(release, {"maximum": 5_000_000})
    result = livepulse_schemas("check", "--dir", committed, "--against", release, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 3
    assert report["drift"] == []
    (problem,) = report["incompatible"]
    assert problem.startswith("CartAdded.v1: field `quantity` tightened maximum from 5000000")


def test_check_prints_one_json_object(committed: Path) -> None:
    """Machines read which file differs and how."""
    (committed / "asyncapi.json").unlink()
    result = livepulse_schemas("check", "--dir", committed, "--json")
    assert json.loads(result.stdout) == {
        "ok": False,
        "drift": [{"file": "asyncapi.json", "state": "missing", "diff": []}],
        "incompatible": [],
    }


def test_check_in_a_wrong_place_is_a_usage_error(tmp_path: Path) -> None:
    """A directory that does not exist is the caller's mistake, not drift."""
    assert livepulse_schemas("check", "--dir", tmp_path / "nowhere").exit_code == 2


def test_export_writes_the_contract_and_clears_what_is_left_over(tmp_path: Path) -> None:
    """After an export the check passes, and old examples are gone."""
    stale = tmp_path / "examples/CartAdded.v1/invalid-forgotten.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    assert livepulse_schemas("export", "--dir", tmp_path).exit_code == 0
    assert not stale.exists()
    assert livepulse_schemas("check", "--dir", tmp_path).exit_code == 0


def test_export_refuses_a_breaking_change_unless_told(committed: Path) -> None:
    """A broken promise is written only on purpose."""
    edit(committed, {"maximum": 5_000_000})
    before = (committed / CART).read_bytes()
    refused = livepulse_schemas("export", "--dir", committed)
    assert (refused.exit_code, (committed / CART).read_bytes()) == (3, before)
    assert livepulse_schemas("export", "--dir", committed, "--allow-breaking").exit_code == 0
    assert (committed / CART).read_bytes() == DOCUMENTS[CART]
