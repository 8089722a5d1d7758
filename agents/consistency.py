"""What settings may not say together: each rule names the setting and the fix."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from agents.sources import nearest
from agents.topics import DEFAULT_TOPICS, FAMILY_OF, names_by_topic

if TYPE_CHECKING:  # settings.py calls this module
    from agents.settings import Settings

_LOOPBACK = re.compile(r"^(localhost|127(\.\d{1,3}){3}|::1)$")
_TOPIC = re.compile(r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$")
_HIGHEST_PORT = 65_535
_SHORTEST_KEY = 32


class Problem(NamedTuple):
    """What is wrong with one setting, and what to do."""

    key: str
    problem: str
    fix: str


def problems(settings: "Settings") -> Iterator[Problem]:
    """Yield every contradiction in the settings, the most basic first."""
    yield from _bootstrap(settings)
    yield from _sasl(settings)
    yield from _kafka_tls(settings)
    yield from _redis(settings)
    yield from _pseudonyms(settings)
    yield from _topics(settings)
    yield from _policy(settings)


def split_address(address: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[v6]:port``. Raises ValueError when it is neither."""
    host, _, port = address.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
        raise ValueError(f"{address!r} is not host:port")
    return host, int(port)


def _bootstrap(settings: "Settings") -> Iterator[Problem]:
    for address in settings.kafka_bootstrap.split(","):
        try:
            split_address(address)
        except ValueError as error:
            fix = "use host:port, several with commas between"
            yield Problem("kafka_bootstrap", str(error), fix)


def _sasl(settings: "Settings") -> Iterator[Problem]:
    protocol = settings.kafka_security_protocol
    wanted = protocol.startswith("SASL_")
    parts = {
        "kafka_sasl_mechanism": settings.kafka_sasl_mechanism,
        "kafka_sasl_username": settings.kafka_sasl_username,
        "kafka_sasl_password": settings.kafka_sasl_password,
    }
    for key, value in parts.items():
        if wanted and value is None:
            yield Problem(key, f"is missing, though the protocol is {protocol}", "set it")
        if value is not None and not wanted:
            fix = "set LIVEPULSE_KAFKA_SECURITY_PROTOCOL=SASL_SSL, or remove it"
            yield Problem(key, f"would never be used with protocol {protocol}", fix)
    if protocol == "SASL_PLAINTEXT" and not _is_local(settings.kafka_bootstrap):
        problem = "SASL_PLAINTEXT would send the password in the clear to another machine"
        yield Problem("kafka_security_protocol", problem, "use SASL_SSL")


def _is_local(bootstrap: str) -> bool:
    hosts = (address.strip().rpartition(":")[0].strip("[]") for address in bootstrap.split(","))
    return all(_LOOPBACK.match(host) for host in hosts)


def _kafka_tls(settings: "Settings") -> Iterator[Problem]:
    files = {
        "kafka_ssl_ca_file": settings.kafka_ssl_ca_file,
        "kafka_ssl_cert_file": settings.kafka_ssl_cert_file,
        "kafka_ssl_key_file": settings.kafka_ssl_key_file,
    }
    protocol = settings.kafka_security_protocol
    for key, value in files.items():
        if value is not None and not protocol.endswith("SSL"):
            fix = "set LIVEPULSE_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or remove it"
            yield Problem(key, f"would never be used with protocol {protocol}", fix)
    yield from _pair("kafka_ssl_cert_file", "kafka_ssl_key_file", settings)
    yield from _pair("kafka_ssl_key_file", "kafka_ssl_cert_file", settings)
    if settings.kafka_ssl_key_password is not None and settings.kafka_ssl_key_file is None:
        fix = "set LIVEPULSE_KAFKA_SSL_KEY_FILE, or remove it"
        yield Problem("kafka_ssl_key_password", "there is no key that it opens", fix)


def _redis(settings: "Settings") -> Iterator[Problem]:
    try:
        url = urlsplit(settings.redis_url)
        right = url.scheme in {"redis", "rediss"} and url.hostname and url.port != 0
    except ValueError:
        url, right = urlsplit(""), False
    if not right:
        fix = "use redis://host:port/db, or rediss:// for TLS"
        yield Problem("redis_url", "is not the address of a Redis", fix)
    if settings.redis_ssl_ca_file is not None and url.scheme != "rediss":
        fix = "use a rediss:// address, or remove it"
        yield Problem("redis_ssl_ca_file", "would never be used without TLS", fix)
    if settings.redis_username is not None and settings.redis_password is None:
        yield Problem("redis_username", "has no password", "set LIVEPULSE_REDIS_PASSWORD")
    if settings.redis_password is not None and url.password is not None:
        fix = "keep LIVEPULSE_REDIS_PASSWORD and take the password out of the address"
        yield Problem("redis_password", "is also given inside LIVEPULSE_REDIS_URL", fix)


def _pseudonyms(settings: "Settings") -> Iterator[Problem]:
    key = settings.pseudonym_key
    if key is not None and len(key) < _SHORTEST_KEY:
        problem = f"{len(key)} characters can be guessed"
        fix = f"use {_SHORTEST_KEY} random ones or more: openssl rand -hex 32"
        yield Problem("pseudonym_key", problem, fix)


def _pair(key: str, partner: str, settings: "Settings") -> Iterator[Problem]:
    if getattr(settings, key) is not None and getattr(settings, partner) is None:
        fix = f"set LIVEPULSE_{partner.upper()}, or remove it"
        yield Problem(key, f"means nothing without {partner}", fix)


def _topics(settings: "Settings") -> Iterator[Problem]:
    unknown = [name for name in settings.topics if name not in DEFAULT_TOPICS]
    for name in unknown:
        fix = f"did you mean {nearest(name, DEFAULT_TOPICS)!r}? Name a type of event or result"
        yield Problem("topics", f"{name!r} is not a type", fix)
    key = "topics" if settings.topics else "topic_prefix"
    for topic, names in names_by_topic(settings).items():
        if not _TOPIC.match(topic):
            fix = "use 1 to 249 of the characters A-Z a-z 0-9 . _ -"
            yield Problem(key, f"{topic!r} cannot be the name of a topic", fix)
        families = {FAMILY_OF[name].name: name for name in names}
        if len(families) > 1:
            mixed = " and ".join(f"{name} ({family})" for family, name in families.items())
            fix = "give each of them a topic of its own"
            yield Problem("topics", f"topic {topic!r} would mix {mixed}", fix)


def _policy(settings: "Settings") -> Iterator[Problem]:
    policy = settings.policy
    for name in policy.__struct_fields__:
        value = getattr(policy, name)
        if isinstance(value, int | float) and value < 0:
            yield Problem(f"policy.{name}", f"{value} is negative", "use zero or more")
    if not policy.churn_off < policy.churn_on <= 1:
        fix = "use 0 <= churn_off < churn_on <= 1"
        yield Problem("policy.churn_on", f"{policy.churn_on} with {policy.churn_off=}", fix)
