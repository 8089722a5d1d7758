"""The command line: help, lazy loading, exit codes, one red line instead of a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents import cli
from agents.admin import Refused, Unreachable
from agents.settings import SettingsError
from tests.agents.command_line import CommandLine

CLOSED = "127.0.0.1:1"  # nobody may listen there without being root, and nobody does


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """Give a command line in an empty directory."""
    return CommandLine(monkeypatch, capsys, tmp_path)


def test_help_names_every_command_and_every_exit_code(shell: CommandLine) -> None:
    """The first page tells what there is."""
    outcome = shell.run("--help")
    assert outcome.code == 0
    for mounted in cli.COMMANDS:
        assert f"{mounted.name} " in outcome.out
        assert mounted.summary in outcome.out
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "130 "):
        assert f"\n    {code}" in outcome.out


def test_help_loads_no_command_and_no_heavy_library() -> None:
    """The help is fast because it imports nothing that it does not show."""
    code = (
        "import sys; sys.argv = ['livepulse', '--help']\n"
        "from agents.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stderr.split())
    heavy = {"faust", "kafka", "aiokafka", "redis", "confluent_kafka", "rich", "msgspec", "asyncio"}
    assert "typer" in loaded
    assert not loaded & heavy
    assert not {name for name in loaded if name.startswith("agents.commands")}


@pytest.mark.parametrize("name", ["tail", "topics", "doctor", "config"])
def test_every_command_of_the_operator_has_help_with_an_example(
    shell: CommandLine, name: str
) -> None:
    """Each command's page ends with something to copy."""
    pages = {"topics": [["topics", "create"], ["topics", "list"]], "config": [["config", "show"]]}
    for page in pages.get(name, [[name]]):
        outcome = shell.run(*page, "--help")
        assert outcome.code == 0
        assert "Example: " in outcome.out


def test_misspelt_command_is_a_usage_error_with_a_suggestion(shell: CommandLine) -> None:
    """The nearest command is named."""
    outcome = shell.run("docter")
    assert outcome.code == cli.USAGE
    assert "Did you mean 'doctor'" in outcome.err


def test_wrong_setting_is_one_line_and_exit_code_2(shell: CommandLine) -> None:
    """No traceback: the variable and the fix."""
    shell.set(partitions="many")
    outcome = shell.run("topics", "list")
    assert outcome.code == cli.USAGE
    assert outcome.err.startswith("livepulse: LIVEPULSE_PARTITIONS")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("command", [["topics", "create"], ["tail", "coupons"]])
def test_unreachable_broker_is_one_line_and_exit_code_4(
    shell: CommandLine, command: list[str]
) -> None:
    """The address and the reason are told at once, not after a client's time-out."""
    shell.set(kafka_bootstrap=CLOSED)
    outcome = shell.run(*command)
    assert outcome.code == cli.UNREACHABLE
    assert f"{CLOSED}: Connection refused" in outcome.err
    assert outcome.err.count("\n") == 1


def test_exit_codes_follow_the_kind_of_error() -> None:
    """What a user can mend has a code; a fault of ours has none and keeps its traceback."""
    import aiokafka.errors  # noqa: PLC0415 - slow libraries, only for this test
    import kafka.errors  # noqa: PLC0415 - as above
    import redis  # noqa: PLC0415 - as above

    expected: list[tuple[Exception, int | None]] = [
        (SettingsError("X", "is wrong", source="test", fix="mend it"), cli.USAGE),
        (Unreachable("x"), cli.UNREACHABLE),
        (kafka.errors.KafkaTimeoutError(), cli.UNREACHABLE),
        (aiokafka.errors.KafkaConnectionError(), cli.UNREACHABLE),
        (redis.exceptions.ConnectionError(), cli.UNREACHABLE),
        (ConnectionRefusedError(), cli.UNREACHABLE),
        (Refused("x"), cli.FAILURE),
        (kafka.errors.TopicAuthorizationFailedError(), cli.FAILURE),
        (redis.exceptions.AuthenticationError(), cli.UNREACHABLE),
        (redis.exceptions.ResponseError(), cli.FAILURE),
        (ValueError("ours"), None),
    ]
    assert [cli.exit_code(error) for error, _ in expected] == [code for _, code in expected]


def test_a_fault_of_ours_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, shell: CommandLine
) -> None:
    """An error that no user can mend is not dressed up as one."""
    monkeypatch.setattr("agents.settings.load_with_origins", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        shell.run("config", "show")


def test_topics_list_needs_no_broker(shell: CommandLine) -> None:
    """The table is printed from the settings alone, with the reasons."""
    shell.set(partitions="6", topic_prefix="eu.")
    outcome = shell.run("topics", "list", "--json")
    listed = {spec["name"]: spec for spec in json.loads(outcome.out)["topics"]}
    assert listed["eu.state"]["partitions"] == 6
    assert listed["eu.state"]["why"]
    assert "eu.state  6 partitions" in shell.run("topics", "list").out


def test_config_show_tells_value_origin_and_variable(shell: CommandLine) -> None:
    """Every setting is there, once, with where it comes from; secrets are hidden."""
    shell.set(policy_cart_age_ms="20000", redis_password="hush-hush")
    outcome = shell.run("config", "show", "--json")
    rows = {row["name"]: row for row in json.loads(outcome.out)["settings"]}
    assert rows["policy.cart_age_ms"] == {
        "name": "policy.cart_age_ms",
        "value": 20_000,
        "origin": "environment",
        "variable": "LIVEPULSE_POLICY_CART_AGE_MS",
    }
    assert (rows["partitions"]["value"], rows["partitions"]["origin"]) == (4, "default")
    assert rows["redis_password"]["value"] == "***"
    assert "hush-hush" not in outcome.out + shell.run("config", "show").out


def test_dead_letters_have_no_session(shell: CommandLine) -> None:
    """An option that could never match is refused before anything is opened."""
    outcome = shell.run("tail", "dead-letters", "--session", "s1")
    assert outcome.code == cli.USAGE
    assert "leave --session out" in outcome.err


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        (["--from-start", "--since", "1h"], "not both"),
        (["--since", "yesterday"], "such as 7d"),
        (["--since", ""], "such as 7d"),
    ],
)
def test_tail_begins_in_one_place(shell: CommandLine, options: list[str], fix: str) -> None:
    """Two places, or one that is no duration, are refused before anything is opened."""
    outcome = shell.run("tail", "coupons", *options)
    assert outcome.code == cli.USAGE
    assert fix in outcome.err
