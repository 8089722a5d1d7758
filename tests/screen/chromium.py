"""Debian's Chromium, driven by Playwright; it never asks anybody outside of this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypedDict

from playwright.async_api import Browser, Page, async_playwright

EXECUTABLE = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: Two cores may be busy with much else.
PATIENCE_MS = 30_000

SIZES = {"phone": (360, 780), "laptop": (1366, 768), "wall": (3840, 2160)}


class Look(TypedDict, total=False):
    """How somebody looks at the page."""

    lang: Literal["en", "zh"]
    theme: Literal["light", "dark"]
    size: Literal["phone", "laptop", "wall"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser. Raises FileNotFoundError when it is not installed."""
    _check()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


def _check() -> None:
    if not EXECUTABLE.exists():
        raise FileNotFoundError(f"{EXECUTABLE} is missing: apt-get install chromium")


@asynccontextmanager
async def looking(browser: Browser, look: Look) -> AsyncIterator[Page]:
    """Open an empty page of this language, theme and size; nothing on it moves by itself."""
    width, height = SIZES[look.get("size", "laptop")]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=look.get("theme", "light"),
        locale={"en": "en-GB", "zh": "zh-CN"}[look.get("lang", "en")],
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def drawn(page: Page, url: str) -> Page:
    """Go there and wait until the page has its words, its font and its first numbers."""
    await page.goto(url)
    await page.wait_for_selector("html[data-ready]")
    await page.wait_for_selector(".chip[data-state]:not([data-state=connecting]), .login")
    await page.evaluate("document.fonts.ready.then(() => null)")
    return page
