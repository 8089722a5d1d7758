"""What every answer has in common: security headers, JSON with an ETag, errors as JSON."""

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any, NoReturn

import msgspec
from aiohttp import web
from msgspec import Struct

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_encode = msgspec.json.Encoder().encode
#: Longer bodies are compressed if the client likes.
_COMPRESS_FROM = 1_000


class Problem(Struct, frozen=True):
    """Why there is no answer."""

    error: str


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to whatever is sent; what is not cached by name is not stored."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


def refuse(status: int, error: str, **headers: str) -> web.Response:
    """Return an error as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = _encode(Problem(error))
    return web.Response(status=status, body=body, content_type="application/json", headers=named)


def fail(field: str, problem: str) -> NoReturn:
    """End the request with 400, naming what is wrong with which field."""
    raise web.HTTPBadRequest(text=f"{field}: {problem}")


def answer(request: web.Request, value: Any, *, same_as: Any = None) -> web.Response:
    """Return a value as JSON, or 304 when the client has it.

    ``same_as`` stands for the value where that changes with every look at it, as by its time.
    """
    body = _encode(value)
    digest = blake2b(body if same_as is None else _encode(same_as), digest_size=12)
    tag = f'W/"{digest.hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = request.headers.get("If-None-Match", "")
    if tag in (one.strip() for one in known.split(",")):
        return web.Response(status=304, headers=headers)
    response = web.Response(body=body, content_type="application/json", headers=headers)
    if len(body) > _COMPRESS_FROM:
        response.enable_compression()
    return response


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn aiohttp's own errors (unknown path, wrong method, 400) into JSON."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - a redirection is no error
            raise
        allowed = error.headers.get("Allow")
        headers = {"Allow": allowed} if allowed else {}
        return refuse(error.status, error.text or error.reason, **headers)
