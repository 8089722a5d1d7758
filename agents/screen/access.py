"""Who asks: the token in the cookie or the header, how often, and what is refused without one."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from agents.screen.answers import Handler, answer, refuse
from agents.screen.limits import Limiter
from agents.screen.tokens import Grant, Tokens

COOKIE = "livepulse"
#: For each token, or for each address without one.
REQUESTS_PER_S, REQUESTS_AT_ONCE = 20.0, 100
#: For each address, of which a TLS proxy has one for all: only what fails is counted.
FAILED_PER_S, FAILED_AT_ONCE = 0.5, 20
LONGEST_TOKEN = 4_096

_NO_TOKEN = "a valid token is needed: livepulse token makes one"  # noqa: S105 - no secret
_SLOWER = "too many requests: come again later"


class Login(Struct, frozen=True):
    """What signs a browser in."""

    token: Annotated[str, Meta(max_length=LONGEST_TOKEN)]


class Me(Struct, frozen=True, kw_only=True):
    """Who is signed in. ``sessions`` is empty for an operator, who sees all."""

    role: Literal["host", "operator"]
    sessions: tuple[str, ...]
    expires_at: int


GRANT = web.RequestKey("grant", Grant)

_login = msgspec.json.Decoder(Login).decode


class Access:
    """Checks tokens and counts requests; the middleware of everything."""

    def __init__(self, tokens: Tokens, *, is_secure: bool) -> None:
        self._tokens = tokens
        self._is_secure = is_secure
        self._requests = Limiter(per_s=REQUESTS_PER_S, burst=REQUESTS_AT_ONCE)
        self._failed = Limiter(per_s=FAILED_PER_S, burst=FAILED_AT_ONCE)

    def grant(self, request: web.Request) -> Grant | None:
        """Return what the request's token allows; a header counts before the cookie."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() != "bearer":
            token = request.cookies.get(COOKIE, "")
        return self._tokens.read(token.strip()) if token else None

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let through to /v1 who has a token and does not ask too often."""
        if not request.path.startswith("/v1/") or request.path == "/v1/login":
            return await handler(request)
        grant = self.grant(request)
        wait_s = self._requests.wait_s(grant.token_id if grant else request.remote or "")
        if wait_s:
            return _too_often(wait_s)
        if grant is None:
            return refuse(401, _NO_TOKEN)
        request[GRANT] = grant
        return await handler(request)

    async def login(self, request: web.Request) -> web.Response:
        """Put a valid token into a cookie; however often others fail, it gets in."""
        if request.content_type != "application/json":
            return self._turn_away(request, 415, 'send {"token": "..."} as application/json')
        try:
            token = _login(await request.read()).token
        except msgspec.MsgspecError as error:
            return self._turn_away(request, 400, str(error))
        grant = self._tokens.read(token)
        if grant is None:
            return self._turn_away(request, 401, "this token is not valid, or not any more")
        response = answer(request, who(grant))
        response.set_cookie(
            COOKIE, token, max_age=None, expires=None, path="/", httponly=True,
            samesite="Strict", secure=self._is_secure,
        )  # fmt: skip
        return response

    def _turn_away(self, request: web.Request, status: int, error: str) -> web.Response:
        wait_s = self._failed.wait_s(request.remote or "")
        return _too_often(wait_s) if wait_s else refuse(status, error)

    async def logout(self, _: web.Request) -> web.Response:
        """Take the cookie away."""
        response = web.Response(status=204)
        response.del_cookie(
            COOKIE, path="/", httponly=True, samesite="Strict", secure=self._is_secure
        )
        return response

    async def me(self, request: web.Request) -> web.Response:
        """Say who is signed in, and until when."""
        return answer(request, who(request[GRANT]))


def who(grant: Grant) -> Me:
    """Return what a page may know of its own token."""
    return Me(
        role="operator" if grant.is_operator else "host",
        sessions=() if grant.is_operator else tuple(sorted(grant.sessions)),
        expires_at=grant.expires_at * 1_000,
    )


def _too_often(wait_s: float) -> web.Response:
    return refuse(429, _SLOWER, Retry_After=str(max(1, round(wait_s))))
