"""One browser for all tests of the page, and for each test a server of its own."""

import os
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.screen.chromium import PATIENCE_MS, Look, chromium, looking
from tests.screen.feed import SCREEN, Feed, serving


def pytest_configure() -> None:
    """Give the browser time."""
    expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give a running Chromium."""
    if not (SCREEN / "static/vendor/uPlot.iife.min.js").exists():
        _skip_or_fail("the page's third-party files are missing: make screen-assets")
    try:
        async with chromium() as running:
            yield running
    except FileNotFoundError as error:
        _skip_or_fail(str(error))


@pytest_asyncio.fixture(loop_scope="session")
async def feed() -> AsyncIterator[Feed]:
    """Give a server of scripted sessions that lets everybody in."""
    async with serving(Feed()) as served:
        yield served


@pytest.fixture
def look() -> Look:
    """Look at the page in English, light, on a laptop; tests parametrize this."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, look: Look) -> AsyncIterator[Page]:
    """Give an empty page; what goes wrong on it, or leaves this machine, fails the test."""
    wrong: list[str] = []
    async with looking(browser, look) as opened:
        opened.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        opened.on("console", lambda said: wrong.append(said.text) if _is_bad(said.text) else None)
        opened.on(
            "request",
            lambda sent: None if _is_local(sent.url) else wrong.append(f"asked {sent.url}"),
        )
        yield opened
    assert wrong == []


@pytest.fixture
def axe() -> str:
    """Give the source of axe-core, which finds what keeps people out."""
    source = SCREEN / "node_modules/axe-core/axe.min.js"
    if not source.exists():
        _skip_or_fail("axe-core is missing: npm ci in agents/screen")
    return source.read_text(encoding="utf-8")


def _is_bad(said: str) -> bool:
    # A browser reports every refused request; tests that refuse one look at the page itself.
    return "Content Security Policy" in said or "Uncaught" in said


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def _skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
