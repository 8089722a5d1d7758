"""Every state of every page for everybody: axe-core finds nothing, the keyboard everything."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.screen.chromium import Look, drawn
from tests.screen.feed import Feed
from tests.screen.states import STATES

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

PAGES = [*(f"/s/{name}" for name in STATES), "/s/unknown", "/", "/login", "/s/busy/report"]
LAPTOP = Look(lang="en", theme="light", size="laptop")
PHONE = Look(lang="zh", theme="dark", size="phone")
LOOKS = [
    *((path, look) for path in PAGES for look in (LAPTOP, PHONE)),
    *((path, Look(lang="en", theme="dark", size="wall")) for path in ("/s/busy", "/s/long", "/")),
    *((path, Look(lang="zh", theme="light", size="phone")) for path in ("/s/busy", "/s/stale")),
]


@pytest_asyncio.fixture(loop_scope="session")
async def ready(page: Page, feed: Feed, path: str) -> AsyncIterator[Page]:
    """Give one of the pages, drawn."""
    await drawn(page, feed.url + path)
    yield page


@pytest.mark.parametrize(("path", "look"), LOOKS)
async def test_nobody_is_kept_out(ready: Page, axe: str) -> None:
    """No violation of WCAG 2.2 A and AA or of axe's best practices; no page scrolls sideways."""
    wide, window = await ready.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= window
    await ready.evaluate(axe)
    found: dict[str, Any] = await ready.evaluate("axe.run()")
    violations = [
        (one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]
    ]
    assert violations == []


@pytest.mark.parametrize("path", ["/s/busy", "/s/busy/report", "/"])
async def test_the_keyboard_reaches_everything(ready: Page) -> None:
    """Tab visits every control in turn, starting with the way past the header."""
    wanted: int = await ready.evaluate(
        "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]"
        ".filter((one) => one.checkVisibility({visibilityProperty: true})).length"
    )
    seen: list[str] = []
    for _ in range(wanted):
        await ready.keyboard.press("Tab")
        seen.append(await ready.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    assert "skip" in seen[0]
    assert not any(one.startswith("<body") for one in seen)
