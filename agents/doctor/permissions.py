"""Asks the broker, before a worker starts, whether its user may do all that it will have to.

Without this a missing permission shows late or not at all: a group that may not be joined is
waited for without a word, a changelog that may not be read fails only at the first restart.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import structs

from agents.acls import Acl, Role, acls, command
from agents.admin import Refused, Unreachable, open_admin
from agents.settings import Settings

_COORDINATOR_S = 30.0
_PAUSE_S = 0.1


def require(settings: Settings, role: Role) -> None:
    """Raise Refused, with the commands that mend it, when the user lacks a permission.

    Asks nothing where no user is told from another. Transactional ids cannot be asked for: the
    first transaction says what is wrong with them.
    """
    if settings.kafka_security_protocol == "PLAINTEXT":
        return
    wanted = [acl for acl in acls(settings) if acl.role == role]
    with open_admin(settings) as admin:
        lacking = list(_lacking(admin, wanted))
    if lacking:
        denied = (f"{'+'.join(acl.operations)} on {acl.resource} {acl.name}" for acl in lacking)
        mend = "; ".join(command(settings, acl) for acl in lacking)
        raise Refused(
            f"the broker denies this user {', '.join(denied)} (or it is not there:"
            f" livepulse doctor). Fix: {mend}"
        )


def _lacking(admin: Any, wanted: Iterable[Acl]) -> Iterator[Acl]:
    topics = {topic["name"]: _allowed(topic) for topic in admin.describe_topics()}
    for acl in wanted:
        if acl.resource == "topic":
            allowed = topics.get(acl.name, set())
        elif acl.resource == "group":
            allowed = _of_group(admin, acl.name)
        else:
            continue
        denied = tuple(one for one in acl.operations if one.upper() not in allowed)
        if denied:
            yield structs.replace(acl, operations=denied)


def _allowed(described: dict[str, Any]) -> set[str]:
    return set(described["authorized_operations"] or ())


def _of_group(admin: Any, name: str) -> set[str]:
    """Return what is allowed with a group, which need not exist yet.

    A new cluster makes the topic of its groups when it is first asked: so ask again.
    """
    from kafka import errors  # noqa: PLC0415 - loaded with the client

    deadline_s = time.monotonic() + _COORDINATOR_S
    while True:
        try:
            described = admin.describe_groups([name])[name]
        except errors.GroupAuthorizationFailedError:
            return set()
        except errors.CoordinatorNotAvailableError as error:
            described = {"error": str(error)}
        if described["error"] is None:
            return _allowed(described)
        if time.monotonic() > deadline_s:
            raise Unreachable(f"no broker answers for group {name}: {described['error']}")
        time.sleep(_PAUSE_S)
