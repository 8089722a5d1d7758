"""Permissions: the document says what the code grants, and the code grants what it uses."""

import json
import re
from itertools import groupby
from pathlib import Path

import pytest

from agents.acls import REDIS_USERS, Acl, acls, command, principal, redis_rule
from agents.settings import Settings
from tests.agents.command_line import CommandLine

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "deploy/security.md").read_text()
#: Python's own names among the methods of redis-py's clients.
_NO_COMMANDS = {"pipeline", "execute", "aclose", "pubsub", "connect"}


def _common(acl: Acl) -> tuple[str, ...]:
    return (
        f"`{principal(Settings(), acl.role)}`", acl.resource, " ".join(acl.operations), acl.why,
    )  # fmt: skip


def rows() -> list[str]:
    """Return the lines of the document's table."""
    made = []
    for (user, resource, operations, why), alike in groupby(acls(Settings()), _common):
        names = ", ".join(f"`{acl.name}`" + ("…" if acl.prefixed else "") for acl in alike)
        made.append(f"| {user} | {resource} | {names} | {operations} | {why} |")
    return made


def test_the_document_has_every_permission_and_no_other() -> None:
    """Its table is the code's: to mend it, paste what this test wants."""
    assert [line for line in DOCUMENT.splitlines() if line.startswith("| `livepulse-")] == rows()


def test_the_document_has_the_rules_of_redis() -> None:
    """Its ACL file is the code's."""
    rules = [redis_rule(Settings(), user, password="...") for user in REDIS_USERS]
    assert [line for line in DOCUMENT.splitlines() if line.startswith("user livepulse-")] == rules


def test_the_commands_grant_it_with_kafkas_own_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One command a permission, for the settings in force."""
    shell = CommandLine(monkeypatch, capsys, tmp_path)
    shell.set(app_id="shop", topic_prefix="shop.", topics='{"CartAdded": "till"}')
    lines = shell.run("topics", "acls").out.splitlines()
    assert (
        "kafka-acls.sh --bootstrap-server 127.0.0.1:9092 --command-config admin.properties --add"
        " --allow-principal User:shop-worker --operation Read --topic till"
    ) in lines
    assert lines[-1].endswith("--topic shop.erasures")
    printed = json.loads(shell.run("topics", "acls", "--json").out)
    assert len(printed["acls"]) == len(lines)
    assert printed["users"]["worker"] == "shop-worker"


def test_a_prefix_is_granted_as_one() -> None:
    """The transactional ids of all tasks."""
    (ids,) = [acl for acl in acls(Settings()) if acl.resource == "transactional-id"]
    assert command(Settings(), ids).endswith(
        "--transactional-id livepulse- --resource-pattern-type prefixed"
    )


def test_types_that_share_a_topic_are_granted_once() -> None:
    """No permission is named twice for one user."""
    shared = Settings(topics={"CartAdded": "live.visits", "LikesSent": "live.visits"})
    named = [(acl.role, acl.resource, acl.name) for acl in acls(shared)]
    assert len(named) == len(set(named))


def test_producers_may_not_erase_and_erasers_may_not_produce() -> None:
    """Whoever may make us forget is a user apart."""
    may = {acl.role: set[str]() for acl in acls(Settings())}
    for acl in acls(Settings()):
        if "Write" in acl.operations:
            may[acl.role].add(acl.name)
    assert may["eraser"] == {"live.erasures"}
    assert "live.erasures" not in may["producer"]
    assert may["admin"] == may["consumer"] == set()


@pytest.mark.parametrize(
    ("role", "files"),
    [
        ("worker", ["views/batch.py", "views/erasure.py", "metrics/redis_meter.py"]),
        ("screen", ["screen/source.py", "screen/hub.py", "screen/room.py"]),
    ],
)
def test_redis_allows_each_command_that_is_called(role: str, files: list[str]) -> None:
    """A call that is added to the code without its permission fails here."""
    (user,) = [user for user in REDIS_USERS if user.role == role]
    called = set[str]()
    for name in files:
        text = (ROOT / "agents" / name).read_text()
        called |= set(re.findall(r"\b(?:pipe|_?client|_channels|channels)\.([a-z]+)\(", text))
    assert called - _NO_COMMANDS
    assert called - _NO_COMMANDS <= set(user.commands)


def test_redis_allows_each_command_of_the_budgets_script() -> None:
    """Redis holds a script's calls against the user's rules, too."""
    script = (ROOT / "agents/engine/budget.lua").read_text()
    called = {name.lower() for name in re.findall(r"redis\.call\('([A-Z]+)'", script)}
    assert called <= set(REDIS_USERS[0].commands)
