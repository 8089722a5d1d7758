"""Each alert has a runbook, each runbook an alert, and what they tell people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from agents import cli
from tests.deploy import metrics_table, promql
from tests.deploy.markdown import blocks, inline
from tests.deploy.rules import alerts, recorded
from tests.deploy.tools import DEPLOY

DIRECTORY = DEPLOY / "runbooks"
RUNBOOKS = sorted(path for path in DIRECTORY.glob("*.md") if path.stem != "README")
PAGES = sorted([*DEPLOY.glob("*.md"), *DEPLOY.glob("*/*.md")])
PARTS = ["What users notice", "See it", "Mend it", "Verify"]


def commands(page: Path) -> list[list[str]]:
    """Return the `livepulse ...` command lines of a page, as words."""
    lines = [line for b in blocks(page) if b.language in {"sh", "console"} for line in b.lines]
    texts = [*(line.removeprefix("$ ") for line in lines), *inline(page)]
    return [found for text in texts if (found := livepulse_words(text))]


def livepulse_words(line: str) -> list[str]:
    """Return what stands after `livepulse` up to a pipe; nothing for another command."""
    match = re.search(r"(?:^(?:[A-Z_]+=\S+ )*|-- |/bin/)livepulse ([a-z].*)$", line)
    if match is None:
        return []
    words = shlex.split(match[1], comments=True)
    return words[: words.index("|")] if "|" in words else words


def parse(words: list[str]) -> None:
    """Parse a command line as the real command would. Raises TyperException when it is wrong.

    A file may be missing: it is on the reader's machine.
    """
    target = next((one.target for one in cli.COMMANDS if one.name == words[0]), None)
    assert target is not None, f"there is no command livepulse {words[0]}"
    command, rest = cli.load_command(target), words[1:]
    context = command.make_context(words[0], list(rest))
    if hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
        try:
            command.make_context(name, list(rest))
        except typer.BadParameter as error:
            if "does not exist" not in error.message:
                raise


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    """Neither is left over."""
    assert {path.stem for path in RUNBOOKS} == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: str(page.stem))
def test_the_runbook_has_the_four_parts(page: Path) -> None:
    """Headline, what it means for users, how to see it, how to mend it, how to verify."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == PARTS


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: str(page.stem))
def test_the_expressions_read_what_there_is(page: Path) -> None:
    """Every line of PromQL parses, and reads series of the contract or of the recordings."""
    known = metrics_table.documented().keys() | metrics_table.STANDARD | recorded()
    for block in blocks(page):
        for expr in block.lines if block.language == "promql" else []:
            assert metrics_table.families(promql.names(expr)) - known == set(), expr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DEPLOY)))
def test_the_commands_exist(page: Path) -> None:
    """Every `livepulse ...` on a page for operators parses with the real command line."""
    for words in commands(page):
        if len(words) == 1:  # prose that names a command
            assert words[0] in {one.name for one in cli.COMMANDS}
        elif "--help" not in words:
            parse(words)


def test_there_are_commands_to_check() -> None:
    """The check above sees the commands, in blocks, in lines and behind a container's name."""
    found = [" ".join(words) for page in PAGES for words in commands(page)]
    assert {"doctor", "topics list", "tail dead-letters --count 20"} <= set(found)
    assert any(one.startswith("tail decisions --since 10m --to-end --json") for one in found)


@pytest.mark.parametrize("words", [["doctr"], ["doctor", "--jsn"], ["tail", "coupon"]])
def test_a_wrong_command_is_noticed(words: list[str]) -> None:
    """A command, an option or an argument that does not exist is an error."""
    with pytest.raises((AssertionError, TyperException)):
        parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DEPLOY)))
def test_the_links_lead_somewhere(page: Path) -> None:
    """Every link to another file of the repository finds it."""
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
