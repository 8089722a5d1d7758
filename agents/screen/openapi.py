"""The description of the read API (OpenAPI 3.1), made from the structs that are sent.

``openapi.json`` beside this file is what ``python -m agents.screen.openapi`` prints; a test
holds the two together.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from agents.screen.access import LONGEST_TOKEN, Login, Me
from agents.screen.answers import Problem
from agents.screen.api import TOP, Panes, Products, Rows, Sessions
from agents.views.keys import RISKS_KEPT
from schemas.results import Window
from streams.screen import Risk, Snapshot, Triggers

FILE = Path(__file__).with_name("openapi.json")

Json = dict[str, Any]

_STRUCTS: tuple[type[Struct], ...] = (
    Sessions, Snapshot, Rows, Panes, Risk, Products, Triggers, Login, Me, Problem,
)  # fmt: skip
_ID = {"type": "string", "minLength": 1, "maxLength": 128}
_MILLIS = {"type": "integer", "minimum": 0, "maximum": (1 << 53) - 1}
_SIGNED_IN: list[Json] = [{"cookie": []}, {"bearer": []}]
_PROBLEMS = {
    "400": "A field of the query or the body is wrong; the error names it.",
    "401": "There is no valid token.",
    "404": "There is no such session, or the token does not open it.",
    "415": "The body is not JSON.",
    "429": "Too many requests; `Retry-After` says when to come again.",
    "503": "The data cannot be read at the moment.",
}


def document() -> bytes:
    """Return the description as JSON."""
    return msgspec.json.format(msgspec.json.encode(_document()), indent=2) + b"\n"


def _document() -> Json:
    _, components = msgspec.json.schema_components(
        _STRUCTS, ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "livepulse host screen",
            "version": version("livepulse"),
            "description": "What a host's screen shows. Money is minor units, times are epoch ms.",
        },
        "security": _SIGNED_IN,
        "paths": _paths(),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "cookie": {"type": "apiKey", "in": "cookie", "name": "livepulse"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def _paths() -> Json:
    one = "/v1/sessions/{id}"
    return {
        "/v1/sessions": {"get": _get("listSessions", "The sessions that it opens", Sessions)},
        one: {"get": _about("getSession", "Everything that the screen shows", Snapshot)},
        f"{one}/conversion": {
            "get": _about("getConversion", "Rows of the conversion table", Rows, *_ROWS)
        },
        f"{one}/panes": {"get": _about("getPanes", "The timeline, up to 24 h of it", Panes)},
        f"{one}/churn": {"get": _about("getChurn", "Who is slipping away", Risk, _TOP)},
        f"{one}/products": {"get": _about("getProducts", "The shelf and what it sold", Products)},
        f"{one}/triggers": {"get": _about("getTriggers", "What livepulse did", Triggers)},
        f"{one}/events": {"get": _events()},
        "/v1/me": {"get": _get("getMe", "Who is signed in", Me)},
        "/v1/login": {"post": _sign_in()},
        "/v1/logout": {
            "post": {
                "operationId": "logout",
                "summary": "Take the cookie away",
                "responses": {"204": {"description": "Done."}} | _problems("401", "429"),
            }
        },
        "/v1/openapi.json": {
            "get": {
                "operationId": "getDescription",
                "summary": "This description",
                "responses": {"200": _content("The description.", {"type": "object"})}
                | _problems("401", "429"),
            }
        },
    }


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_TOP = _query(
    "top", {"type": "integer", "minimum": 1, "maximum": RISKS_KEPT, "default": TOP},
    "How many viewers to name.",
)  # fmt: skip
_ROWS = (
    _query("window", {"enum": list(get_args(Window)), "default": "1m"}, "The length of a row."),
    _query("from", _MILLIS, "Rows that start at or after this."),
    _query("to", _MILLIS, "Rows that start at or before this."),
    _query("product", _ID, "Rows of a product, or of all (`*`), instead of the session's."),
    _query("channel", _ID, "Rows of a source channel, or of all (`*`); with `product`: none."),
)


def _get(name: str, summary: str, kind: type[Struct], *problems: str) -> Json:
    answers = {
        "200": _content(f"{summary}.", _ref(kind), {"ETag": {"schema": {"type": "string"}}}),
        "304": {"description": "The client has it (`If-None-Match`)."},
    }
    return {
        "operationId": name,
        "summary": summary,
        "responses": answers | _problems("401", "429", "503", *problems),
    }


def _about(name: str, summary: str, kind: type[Struct], *query: Json) -> Json:
    """Describe a question about one session."""
    problems = ("400", "404") if query else ("404",)
    return _get(name, summary, kind, *problems) | {"parameters": [_session_id(), *query]}


def _session_id() -> Json:
    return {"name": "id", "in": "path", "required": True, "schema": _ID}


def _events() -> Json:
    text = (
        "Server-sent events: `snapshot` (as GET /v1/sessions/{id} answers, at most four a second),"
        " `panes` (new or changed rows of the timeline; first the last hour, or what has changed"
        " since `Last-Event-ID`) and `status` (`ok` or `no_data_source`; each stream begins with"
        " it)."
    )
    last = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}
    stream = {"description": text, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {
        "operationId": "followSession",
        "summary": "The session as it goes on",
        "parameters": [_session_id(), last],
        "responses": {"200": stream} | _problems("401", "404", "429"),
    }


def _sign_in() -> Json:
    return {
        "operationId": "login",
        "summary": f"Put a token (at most {LONGEST_TOKEN} characters) into a cookie",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(Login)}},
        },
        "responses": {"200": _content("Signed in; the answer sets the cookie.", _ref(Me))}
        | _problems("400", "401", "415", "429"),
    }


def _ref(kind: type[Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _content(text: str, schema: Json, headers: Json | None = None) -> Json:
    found: Json = {"description": text, "content": {"application/json": {"schema": schema}}}
    return found | ({"headers": headers} if headers else {})


def _problems(*statuses: str) -> Json:
    return {status: _content(_PROBLEMS[status], _ref(Problem)) for status in sorted(statuses)}


if __name__ == "__main__":
    sys.stdout.write(document().decode())
