"""Every setting of livepulse in one frozen value, and the clients' configurations from it.

Sources, strongest first: ``LIVEPULSE_*`` variables, ``.env``, ``livepulse.toml`` (or the file
that ``LIVEPULSE_CONFIG`` names), the defaults below. An empty variable counts as not given.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

from agents import sources
from agents.consistency import problems
from agents.sources import Given, SettingsError
from agents.topics import DEFAULT_TOPICS
from streams.policy import Policy

__all__ = ["Settings", "SettingsError", "load", "load_with_origins"]

Protocol = Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
TokenAlgorithm = Literal["HS256", "RS256"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["auto", "json", "pretty"]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]

_SECRETS = {
    "kafka_sasl_password", "kafka_ssl_key_password", "redis_password", "pseudonym_key",
    "screen_token_key",
}  # fmt: skip
_FILES = (
    "kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file", "redis_ssl_ca_file",
    "screen_token_key_file",
)  # fmt: skip
_URL_SECRET = re.compile(r"(?<=:)(?!//).*(?=@)|(?<=password=)[^&]*")
_MASK = "***"


class Settings(Struct, frozen=True, kw_only=True):
    """What the operator decides. Raises SettingsError when two settings contradict."""

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: Protocol = "PLAINTEXT"
    kafka_sasl_mechanism: Mechanism | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: str | None = None
    kafka_ssl_ca_file: str | None = None
    kafka_ssl_cert_file: str | None = None
    kafka_ssl_key_file: str | None = None
    kafka_ssl_key_password: str | None = None
    #: A worker's own name that stays over restarts (a pod's name): static membership. Its
    #: partitions wait for it for ``session_timeout_s`` instead of moving to others and back.
    kafka_group_instance_id: Name | None = None
    #: The demo's embedded broker writes transaction markers without a checksum.
    kafka_check_crcs: bool = True

    redis_url: str = "redis://127.0.0.1:6379/0"
    redis_username: str | None = None
    redis_password: str | None = None
    redis_ssl_ca_file: str | None = None
    redis_prefix: Name = "livepulse"

    #: Viewer ids are replaced by pseudonyms made with it; another key makes other pseudonyms.
    pseudonym_key: str | None = None

    app_id: Name = "livepulse"
    topic_prefix: str = "live."
    topics: dict[str, str] = {}
    partitions: Annotated[int, Meta(ge=1, le=10_000)] = 4
    replication_factor: Annotated[int, Meta(ge=1, le=32)] = 1

    commit_interval_ms: Annotated[int, Meta(ge=1, le=60_000)] = 100
    session_timeout_s: Annotated[int, Meta(ge=6, le=1_800)] = 10

    metrics_port: Port = 0
    metrics_host: str = "127.0.0.1"
    log_level: LogLevel = "INFO"
    #: auto: pretty on a terminal, else one JSON object a line.
    log_format: LogFormat = "auto"
    #: Traces of the records that carry a W3C ``traceparent``; where they go says OpenTelemetry's
    #: own OTEL_EXPORTER_OTLP_ENDPOINT.
    tracing: bool = False

    screen_host: str = "127.0.0.1"
    screen_port: Port = 8090
    #: The address that hosts type, if a proxy with TLS stands in between.
    screen_url: str | None = None
    screen_token_algorithm: TokenAlgorithm = "HS256"  # noqa: S105 - an algorithm, no secret
    #: HS256: a secret of 32 characters or more, here or in the file. RS256: a PEM file.
    screen_token_key: str | None = None
    screen_token_key_file: str | None = None

    policy: Policy = Policy()

    def __post_init__(self) -> None:
        for key, problem, fix in problems(self):
            raise SettingsError(sources.variable_of(key), problem, source="settings", fix=fix)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{key}={value!r}' for key, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self.masked().items())

    def masked(self) -> dict[str, Any]:
        """Return the values as they may be shown; ``policy.*`` one by one, secrets hidden."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "policy"}
        shown |= {name: _MASK for name in _SECRETS if shown[name] is not None}
        shown["redis_url"] = _URL_SECRET.sub(_MASK, self.redis_url)
        return shown | {
            f"policy.{key}": value for key, value in structs.asdict(self.policy).items()
        }

    def topic_of(self, name: str) -> str:
        """Return the topic of a type name, of ``state`` or of ``window-totals``."""
        if name not in DEFAULT_TOPICS:
            near = sources.nearest(name, DEFAULT_TOPICS)
            raise LookupError(f"{name!r} has no topic; did you mean {near!r}?")
        return self.topics.get(name) or self.topic_prefix + DEFAULT_TOPICS[name]

    def aiokafka_config(self) -> dict[str, Any]:
        """Return the connection arguments of every aiokafka client."""
        config: dict[str, Any] = {
            "bootstrap_servers": [address.strip() for address in self.kafka_bootstrap.split(",")],
            "security_protocol": self.kafka_security_protocol,
        }
        if self.kafka_security_protocol.endswith("SSL"):
            config["ssl_context"] = self._ssl_context()
        if self.kafka_sasl_mechanism is not None:
            config |= {
                "sasl_mechanism": self.kafka_sasl_mechanism,
                "sasl_plain_username": self.kafka_sasl_username,
                "sasl_plain_password": self.kafka_sasl_password,
            }
        return config

    def kafka_python_config(self) -> dict[str, Any]:
        """Return the connection arguments of every kafka-python client.

        They speak the protocol of Kafka 2.3, which every broker up to 4.x understands: the way
        in which newer clients open a connection fails at the demo's embedded broker.
        """
        return self.aiokafka_config() | {"api_version": (2, 3)}

    def confluent_config(self) -> dict[str, Any]:
        """Return the connection properties of every confluent-kafka client."""
        config = {
            "bootstrap.servers": self.kafka_bootstrap,
            "security.protocol": self.kafka_security_protocol,
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_sasl_username,
            "sasl.password": self.kafka_sasl_password,
            "ssl.ca.location": self.kafka_ssl_ca_file,
            "ssl.certificate.location": self.kafka_ssl_cert_file,
            "ssl.key.location": self.kafka_ssl_key_file,
            "ssl.key.password": self.kafka_ssl_key_password,
        }
        return {name: value for name, value in config.items() if value is not None}

    def redis_config(self) -> dict[str, Any]:
        """Return the arguments of ``redis.from_url`` and ``redis.asyncio.from_url``."""
        config = {
            "url": self.redis_url,
            "username": self.redis_username,
            "password": self.redis_password,
            "ssl_ca_certs": self.redis_ssl_ca_file,
        }
        return {name: value for name, value in config.items() if value is not None}

    def _ssl_context(self) -> Any:
        import ssl  # noqa: PLC0415 - only where TLS is used; it costs every command 15 ms

        key = "kafka_ssl_ca_file"
        try:
            context = ssl.create_default_context(cafile=self.kafka_ssl_ca_file)
            key = "kafka_ssl_cert_file"
            if self.kafka_ssl_cert_file is not None:
                password = self.kafka_ssl_key_password or ""  # None would ask on the terminal
                context.load_cert_chain(self.kafka_ssl_cert_file, self.kafka_ssl_key_file, password)
        except OSError as error:
            fix = "name PEM files that belong together, and the key's password"
            variable = sources.variable_of(key)
            raise SettingsError(variable, str(error), source="settings", fix=fix) from error
        return context


def load(
    *,
    toml: Path | None = None,
    env: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
) -> Settings:
    """Read the settings from their sources. Raises SettingsError, which names the fix."""
    return load_with_origins(toml=toml, env=env, dotenv=dotenv)[0]


def load_with_origins(
    *,
    toml: Path | None = None,
    env: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
) -> tuple[Settings, dict[str, str]]:
    """Read the settings, and say of each (``policy.*`` one by one) where it comes from."""
    given = sources.gather(_TYPES, toml=toml, env=os.environ if env is None else env, dotenv=dotenv)
    values = {key: _convert(key, raw) for key, raw in given.items()}
    policy = {key.removeprefix("policy."): values.pop(key) for key in given if key in _POLICY}
    try:
        settings = Settings(**values, policy=Policy(**policy))
        _check_files(settings)
    except SettingsError as error:
        raise _located(error, given) from None
    return settings, {key: given[key].source if key in given else "default" for key in _TYPES}


_POLICY = {f"policy.{field.name}": field.type for field in structs.fields(Policy)}
_TYPES = {
    field.name: field.type for field in structs.fields(Settings) if field.name != "policy"
} | _POLICY


def _convert(key: str, raw: Given) -> Any:
    kind = _TYPES[key]
    value = raw.value
    try:
        if raw.is_text and key == "topics":
            value = msgspec.json.decode(str(value))
        elif isinstance(value, str):
            value = _same_case(value, kind)
        return msgspec.convert(value, kind, strict=not raw.is_text)
    except msgspec.MsgspecError as error:
        variable = sources.variable_of(key) if raw.is_text else key
        problem = _MASK if key in _SECRETS else str(error)
        raise SettingsError(
            variable, problem, source=raw.source, fix=f"use {_wanted(key)}"
        ) from None


def _choices(kind: Any) -> tuple[str, ...]:
    literals = (kind, *get_args(kind))
    return next((get_args(item) for item in literals if get_origin(item) is Literal), ())


def _same_case(value: str, kind: Any) -> str:
    """Let people write ``info`` for ``INFO``."""
    return next((c for c in _choices(kind) if c.casefold() == value.casefold()), value)


def _wanted(key: str) -> str:
    if key == "topics":
        return 'type names and topics, such as {"CartAdded": "shop.carts"}'
    choices = _choices(_TYPES[key])
    if choices:
        return "one of " + ", ".join(choices)
    defaults = Settings().masked()
    return f"a value like {defaults[key]!r}" if defaults[key] is not None else "text"


def _check_files(settings: Settings) -> None:
    for key in _FILES:
        name = getattr(settings, key)
        if name is not None and not Path(name).is_file():
            raise SettingsError(
                sources.variable_of(key),
                f"there is no file {name}",
                source="settings",
                fix="correct the path, or mount the file",
            )


def _located(error: SettingsError, given: Mapping[str, Given]) -> SettingsError:
    """Say where the setting that is wrong came from."""
    by_variable = {sources.variable_of(key): raw.source for key, raw in given.items()}
    source = by_variable.get(error.variable, "not set")
    return SettingsError(error.variable, error.problem, source=source, fix=error.fix)
