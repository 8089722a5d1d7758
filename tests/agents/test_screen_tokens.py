"""Tokens: who may see what, until when, signed by whom; and the command that makes them."""

import hmac
import json
from base64 import urlsafe_b64encode
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import structs

from agents.screen.limits import REMEMBERED, Limiter
from agents.screen.server import secret
from agents.screen.tokens import AUDIENCE, Tokens
from agents.settings import Settings, SettingsError
from tests.agents.command_line import CommandLine

SECRET = "s" * 32
TOKENS = Tokens(Settings(screen_token_key=SECRET))


def claims(**changes: object) -> str:
    """Sign claims of any kind with the right secret."""
    usual: dict[str, object] = {"aud": AUDIENCE, "exp": 1 << 40, "sessions": ["s1"]}
    wanted = {key: value for key, value in (usual | changes).items() if value is not None}
    return jwt.encode(wanted, SECRET, algorithm="HS256")


def test_a_host_sees_the_sessions_of_the_token() -> None:
    """And no others."""
    grant = TOKENS.read(TOKENS.sign(sessions=frozenset({"s1", "s2"}), ttl_s=60))
    assert grant is not None
    assert [grant.may_see(one) for one in ("s1", "s2", "s3")] == [True, True, False]
    assert not grant.is_operator


def test_an_operator_sees_all() -> None:
    """Also sessions that begin after the token was made."""
    grant = TOKENS.read(TOKENS.sign(operator=True, ttl_s=60))
    assert grant is not None
    assert grant.may_see("anything")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "no.token.at-all",
        TOKENS.sign(sessions=frozenset({"s1"}), ttl_s=-60),
        Tokens(Settings(screen_token_key="t" * 32)).sign(operator=True, ttl_s=60),
        claims(aud="another service"),
        claims(aud=None),
        claims(exp=None),
        claims(sessions="s1"),
        claims(sessions=[1]),
        jwt.encode({"aud": AUDIENCE, "exp": 1 << 40, "role": "operator"}, "", algorithm="none"),
    ],
    ids=["empty", "garbage", "expired", "other key", "other audience", "no audience", "no end",
         "text for a list", "numbers for ids", "unsigned"],
)  # fmt: skip
def test_what_is_not_valid_opens_nothing(token: str) -> None:
    """Whatever is wrong with it."""
    assert TOKENS.read(token) is None


def test_a_token_without_rights_opens_nothing() -> None:
    """It is valid, but names no session."""
    grant = TOKENS.read(claims(sessions=None))
    assert grant is not None
    assert not grant.may_see("s1")


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write an RSA key, its public half, one that is too short, and one of another kind."""
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    made = {
        "private": _private(key),
        "public": key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "short": _private(rsa.generate_private_key(public_exponent=65_537, key_size=1_024)),
        "curve": _private(ec.generate_private_key(ec.SECP256R1())),
        "broken": b"-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n",
    }
    for name, pem in made.items():
        (folder / name).write_bytes(pem)
    return {name: folder / name for name in made}


def _private(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def rsa_tokens(pem: Path) -> Tokens:
    """Return tokens of a PEM file."""
    return Tokens(Settings(screen_token_algorithm="RS256", screen_token_key_file=str(pem)))


def test_the_public_key_reads_what_the_private_one_signed(pems: dict[str, Path]) -> None:
    """The screen needs no key that could make tokens."""
    token = rsa_tokens(pems["private"]).sign(sessions=frozenset({"s1"}), ttl_s=60)
    grant = rsa_tokens(pems["public"]).read(token)
    assert grant is not None
    assert grant.may_see("s1")


def test_the_public_key_is_no_hmac_secret(pems: dict[str, Path]) -> None:
    """A token that is signed with the public key's text does not open an RS256 screen."""
    head = {"aud": AUDIENCE, "exp": 1 << 40, "role": "operator"}
    forged = _hmac_token(head, pems["public"].read_bytes())
    assert rsa_tokens(pems["public"]).read(forged) is None


def _hmac_token(body: dict[str, object], key: bytes) -> str:
    # PyJWT refuses to make such a token.
    parts = [
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT"}, body)
    ]
    signature = urlsafe_b64encode(hmac.digest(key, b".".join(parts), "sha256")).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


def names(pem: Path, **settings: str) -> bytes:
    """Return what a screen with this PEM file makes pseudonyms with."""
    rs256 = Settings(screen_token_algorithm="RS256", screen_token_key_file=str(pem))
    return secret(structs.replace(rs256, **settings))


def test_the_public_key_names_no_viewers(
    pems: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has it could try ids out: each screen makes a key up, and says what to set."""
    public = hmac.digest(pems["public"].read_bytes(), b"livepulse pseudonyms", "sha256")
    assert len({public, names(pems["public"]), names(pems["public"])}) == 3
    assert "set LIVEPULSE_PSEUDONYM_KEY" in caplog.text


def test_screens_with_a_secret_name_viewers_alike(
    pems: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """The private key, or the key of pseudonyms beside the public one."""
    assert names(pems["private"]) == names(pems["private"])
    mine, theirs = (names(pems["public"], pseudonym_key=key * 32) for key in "ab")
    assert mine == names(pems["public"], pseudonym_key="a" * 32) != theirs
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["short", "curve", "broken"])
def test_a_key_that_cannot_be_used_is_refused(pems: dict[str, Path], name: str) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsError, match=r"^LIVEPULSE_SCREEN_TOKEN_KEY_FILE"):
        rsa_tokens(pems[name])


def test_a_public_key_cannot_sign(pems: dict[str, Path]) -> None:
    """Says which file is needed."""
    with pytest.raises(SettingsError, match="private key"):
        rsa_tokens(pems["public"]).sign(operator=True, ttl_s=60)


@pytest.mark.parametrize("settings", [Settings(), Settings(screen_token_key="short")])
def test_a_missing_or_short_secret_is_refused(settings: Settings) -> None:
    """A screen that anybody could sign in to does not start."""
    with pytest.raises(SettingsError, match=r"^LIVEPULSE_SCREEN_TOKEN_KEY .*openssl"):
        Tokens(settings)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """As Kubernetes mounts it, with a line end."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    tokens = Tokens(Settings(screen_token_key_file=str(file)))
    assert tokens.read(TOKENS.sign(operator=True, ttl_s=60)) is not None


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """Return a shell with a key."""
    line = CommandLine(monkeypatch, capsys, tmp_path)
    line.set(screen_token_key=SECRET)
    return line


def test_the_command_prints_a_token_and_a_link(shell: CommandLine) -> None:
    """The token on stdout, for scripts; the link, with the token behind a #, on stderr."""
    shell.set(screen_url="https://live.example.com")
    done = shell.run("token", "--session", "s1", "--session", "s2", "--ttl", "45m")
    grant = TOKENS.read(done.out.strip())
    assert grant is not None
    assert grant.sessions == {"s1", "s2"}
    assert done.err.strip() == f"https://live.example.com/login#{done.out.strip()}"


def test_the_command_says_json(shell: CommandLine) -> None:
    """Token, link and seconds."""
    said = json.loads(shell.run("token", "--operator", "--ttl", "2h", "--json").out)
    grant = TOKENS.read(said["token"])
    assert grant is not None
    assert grant.is_operator
    assert said["expires_in_s"] == 7_200
    assert said["link"] == f"http://127.0.0.1:8090/login#{said['token']}"


@pytest.mark.parametrize(
    "arguments",
    [(), ("--operator", "--session", "s1"), ("--operator", "--ttl", "0"),
     ("--operator", "--ttl", "soon"), ("--operator", "--ttl", "999h")],
)  # fmt: skip
def test_the_command_refuses_what_makes_no_sense(
    shell: CommandLine, arguments: tuple[str, ...]
) -> None:
    """Code 2, as for every wrong use."""
    assert shell.run("token", *arguments).code == 2


def test_without_a_key_the_command_says_what_to_set(shell: CommandLine) -> None:
    """One line, no traceback."""
    shell.set(screen_token_key="")
    done = shell.run("token", "--operator")
    assert (done.code, "LIVEPULSE_SCREEN_TOKEN_KEY" in done.err) == (2, True)


# --- how often ---------------------------------------------------------------------------------


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    """Three at once, then one every half second; the wait that is told is long enough."""
    clock = Clock()
    limiter = Limiter(per_s=2.0, burst=3, clock=clock)
    assert [limiter.wait_s("ann") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now_s += 0.5
    assert [limiter.wait_s("ann") for _ in range(2)] == [0, 0.5]


def test_one_does_not_wait_for_another() -> None:
    """Each has a bucket."""
    limiter = Limiter(per_s=1.0, burst=1, clock=Clock())
    assert [limiter.wait_s(who) for who in ("ann", "bob", "ann")] == [0, 0, 1]


def test_those_who_asked_long_ago_are_forgotten() -> None:
    """Addresses that are made up do not fill the memory."""
    limiter = Limiter(per_s=1.0, burst=1, clock=Clock())
    for number in range(REMEMBERED + 500):
        limiter.wait_s(str(number))
    assert len(limiter._buckets) == REMEMBERED
