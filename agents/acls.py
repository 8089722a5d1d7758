"""Who may do what at Kafka and at Redis: the least that works, one table for code and document.

Five roles, each a user of its own: ``admin`` makes and checks topics, ``producer`` sends events,
``worker`` runs livepulse, ``consumer`` reads triggers, ``eraser`` orders erasures.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from msgspec import Struct

from agents.settings import Settings
from agents.topics import DEFAULT_TOPICS
from schemas.events import EVENT_TYPES, ViewerErased
from schemas.results import RESULT_TYPES

Role = Literal["admin", "producer", "worker", "consumer", "eraser"]
Resource = Literal["topic", "group", "transactional-id"]
Operation = Literal["Create", "Describe", "DescribeConfigs", "Read", "Write"]

ROLES: tuple[Role, ...] = get_args(Role)
STATE, TOTALS = "state", "window-totals"
ERASURE = ViewerErased.__name__
EVENTS = tuple(kind.__name__ for kind in EVENT_TYPES if kind is not ViewerErased)
RESULTS = tuple(kind.__name__ for kind in RESULT_TYPES.values())
TRIGGERS = ("CouponTrigger", "RecommendationTrigger")


class Acl(Struct, frozen=True, kw_only=True):
    """One permission; everything that no permission names is denied."""

    role: Role
    resource: Resource
    name: str
    prefixed: bool = False  # the name is how the names begin
    operations: tuple[Operation, ...]
    why: str


def principal(settings: Settings, role: Role) -> str:
    """Return the name of a role's user, which is its certificate's common name with mTLS."""
    return f"{settings.app_id}-{role}"


def acls(settings: Settings) -> list[Acl]:
    """Return every permission that these settings need, role by role."""
    of_eraser = _topics(settings, "eraser", [ERASURE], ("Write",), "`livepulse erase`")
    return [
        *_admin(settings), *_producer(settings), *_worker(settings), *_consumer(settings),
        *of_eraser,
    ]  # fmt: skip


def _admin(settings: Settings) -> Iterator[Acl]:
    why = "`topics create`, `doctor`"
    yield from _topics(
        settings, "admin", DEFAULT_TOPICS, ("Create", "Describe", "DescribeConfigs"), why
    )


def _producer(settings: Settings) -> Iterator[Acl]:
    yield from _topics(settings, "producer", EVENTS, ("Write",), "events in")


def _worker(settings: Settings) -> Iterator[Acl]:
    app = settings.app_id
    yield from _topics(settings, "worker", [*EVENTS, ERASURE], ("Read",), "events in")
    yield from _topics(settings, "worker", [STATE], ("Read", "Write"), "its changelog, restored")
    yield from _topics(settings, "worker", [TOTALS], ("Read", "Write"), "running totals, merged")
    yield from _topics(settings, "worker", RESULTS, ("Write",), "results out")
    yield Acl(
        role="worker", resource="group", name=app, operations=("Read",),
        why="membership, and the input offsets of each transaction",
    )  # fmt: skip
    yield Acl(
        role="worker", resource="transactional-id", name=f"{app}-", prefixed=True,
        operations=("Write",), why="one transactional producer per task fences its predecessor",
    )  # fmt: skip


def _consumer(settings: Settings) -> Iterator[Acl]:
    yield from _topics(settings, "consumer", TRIGGERS, ("Read",), "`TriggerConsumer`, `tail`")
    yield Acl(
        role="consumer", resource="group", name=principal(settings, "consumer"), prefixed=True,
        operations=("Read",), why="the groups of downstream services; `tail` needs none",
    )  # fmt: skip


def _topics(
    settings: Settings,
    role: Role,
    names: Iterable[str],
    operations: tuple[Operation, ...],
    why: str,
) -> Iterator[Acl]:
    """Yield one permission per topic, however many types share it."""
    for topic in dict.fromkeys(map(settings.topic_of, names)):
        yield Acl(role=role, resource="topic", name=topic, operations=operations, why=why)


def command(settings: Settings, acl: Acl) -> str:
    """Return the command of Kafka's own tool that grants a permission."""
    operations = " ".join(f"--operation {operation}" for operation in acl.operations)
    pattern = " --resource-pattern-type prefixed" if acl.prefixed else ""
    return (
        f"kafka-acls.sh --bootstrap-server {settings.kafka_bootstrap}"
        " --command-config admin.properties --add"
        f" --allow-principal User:{principal(settings, acl.role)} {operations}"
        f" --{acl.resource} {acl.name}{pattern}"
    )


class RedisUser(Struct, frozen=True, kw_only=True):
    """What one user may do in Redis: these commands, on keys and channels of the prefix."""

    role: Literal["worker", "screen"]
    commands: tuple[str, ...]
    why: str


REDIS_USERS = (
    RedisUser(
        role="worker",
        commands=(
            "set", "get", "hset", "hget", "hdel", "hincrby", "sadd", "zadd", "zrem", "zrange",
            "zremrangebyrank", "zremrangebyscore", "pexpire", "pttl", "publish", "evalsha",
            "script|load", "info", "time",
        ),
        why="views, and the script of the coupon budget; `info` and `time` are for `doctor`",
    ),
    RedisUser(
        role="screen",
        commands=(
            "get", "mget", "hgetall", "hmget", "hvals", "zrange", "zrangebyscore", "zrevrange",
            "zcard", "zcount", "scard", "smismember", "subscribe", "unsubscribe", "ping",
        ),
        why="reads the views, changes nothing",
    ),
)  # fmt: skip


def redis_rule(settings: Settings, user: RedisUser, *, password: str) -> str:
    """Return the line of Redis' ACL file that makes a user."""
    commands = " ".join(f"+{command}" for command in user.commands)
    prefix = settings.redis_prefix
    keys = f"~{prefix}:*" if user.role == "worker" else f"%R~{prefix}:*"
    name = f"{settings.app_id}-{user.role}"
    return f"user {name} on >{password} {keys} &{prefix}:* -@all {commands}"
