"""The capacity guide shows what the command prints."""

from tests.deploy.console import renewed
from tests.deploy.tools import DEPLOY

PAGE = DEPLOY / "capacity.md"


def test_the_plans_are_what_the_command_prints() -> None:
    """If not, run: python -m tests.deploy.console deploy/capacity.md."""
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text) == text


def test_the_plan_for_a_million_events_is_there() -> None:
    """The page has it on paper."""
    assert "$ livepulse plan --events-per-s 1000000 " in PAGE.read_text(encoding="utf-8")
