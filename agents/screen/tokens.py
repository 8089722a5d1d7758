"""Who may see what: short-lived signed tokens, made by whoever holds the key.

A host's token names sessions, an operator's opens all of them. HS256 needs one secret at both
ends; with RS256 the screen needs only the public key and cannot make tokens.
"""

import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from agents.settings import Settings, SettingsError
from agents.sources import variable_of

AUDIENCE = "livepulse-screen"
LEAST_SECRET = 32
LEAST_BITS = 2048
#: Clocks of two machines may differ by so much.
LEEWAY_S = 10
OPERATOR = "operator"

_LONGER = "set it to 32 characters or more, for example what `openssl rand -hex 32` prints"
_FIX_PEM = "name a PEM file with an RSA key of 2048 bits or more"


class Grant(Struct, frozen=True, kw_only=True):
    """What a valid token allows. ``token_id`` tells tokens apart; times are epoch seconds."""

    token_id: str
    is_operator: bool
    sessions: frozenset[str]
    expires_at: int

    def may_see(self, session_id: str) -> bool:
        """Tell whether the token opens this session."""
        return self.is_operator or session_id in self.sessions


class Tokens:
    """Signs and reads tokens. Raises SettingsError when the key cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._algorithm = settings.screen_token_algorithm
        if self._algorithm == "HS256":
            self._signing: str | rsa.RSAPrivateKey | None = _secret(settings)
            self._checking: str | rsa.RSAPublicKey = _secret(settings)
        else:
            self._signing, self._checking = _pair(settings)

    def sign(
        self, *, sessions: frozenset[str] = frozenset(), operator: bool = False, ttl_s: int
    ) -> str:
        """Return a token that is valid for ``ttl_s`` from now on."""
        if self._signing is None:
            raise _wrong("screen_token_key_file", "holds a public key, which cannot sign",
                         "name the file of the private key")  # fmt: skip
        now = int(time.time())  # noqa: TID251 - agents may read the clock
        claims = {"aud": AUDIENCE, "iat": now, "exp": now + ttl_s}
        rights = {"role": OPERATOR} if operator else {"sessions": sorted(sessions)}
        return jwt.encode(claims | rights, self._signing, algorithm=self._algorithm)

    def read(self, token: str) -> Grant | None:
        """Return what a token allows, None when it is not valid (any more)."""
        try:
            claims = jwt.decode(
                token,
                self._checking,
                algorithms=[self._algorithm],
                audience=AUDIENCE,
                leeway=LEEWAY_S,
                options={"require": ["exp", "aud"]},
            )
        except jwt.PyJWTError:
            return None
        sessions = claims.get("sessions", [])
        if not isinstance(sessions, list) or not all(isinstance(one, str) for one in sessions):
            return None
        return Grant(
            token_id=token.rpartition(".")[2],  # the signature
            is_operator=claims.get("role") == OPERATOR,
            sessions=frozenset(sessions),
            expires_at=int(claims["exp"]),
        )


def _secret(settings: Settings) -> str:
    key, name = settings.screen_token_key, "screen_token_key"
    if key is None and settings.screen_token_key_file is not None:
        name = "screen_token_key_file"
        key = Path(settings.screen_token_key_file).read_text(encoding="utf-8").strip()
    if key is None:
        raise _wrong(name, "is missing: nobody could sign in", _LONGER)
    if len(key) < LEAST_SECRET:
        raise _wrong(name, f"has {len(key)} characters, which can be guessed", _LONGER)
    return key


def _pair(settings: Settings) -> tuple[rsa.RSAPrivateKey | None, rsa.RSAPublicKey]:
    name = "screen_token_key_file"
    if settings.screen_token_key_file is None:
        raise _wrong(name, "is missing, though the algorithm is RS256", _FIX_PEM)
    pem = Path(settings.screen_token_key_file).read_bytes()
    try:
        if b"PRIVATE KEY" in pem:
            private = serialization.load_pem_private_key(pem, password=None)
            public = private.public_key()
        else:
            private, public = None, serialization.load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise _wrong(name, f"cannot be read: {error}", _FIX_PEM) from None
    if not isinstance(public, rsa.RSAPublicKey) or public.key_size < LEAST_BITS:
        raise _wrong(name, "is no RSA key of 2048 bits or more", _FIX_PEM)
    assert private is None or isinstance(private, rsa.RSAPrivateKey)
    return private, public


def _wrong(key: str, problem: str, fix: str) -> SettingsError:
    return SettingsError(variable_of(key), problem, source="settings", fix=fix)
