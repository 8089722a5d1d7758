"""The README's pictures of the host screen: ``python -m tests.screen.shots DIRECTORY``.

They show scripted sessions, so they are the same whenever they are taken.
"""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Browser

from tests.screen.chromium import Look, chromium, drawn, looking
from tests.screen.feed import Feed, serving

#: File name, page, look, and whether the whole page is shown or one window of it.
SHOTS: tuple[tuple[str, str, Look, bool], ...] = (
    ("screen-en-light.png", "/s/busy", Look(lang="en", theme="light", size="laptop"), True),
    ("screen-zh-dark.png", "/s/chinese", Look(lang="zh", theme="dark", size="laptop"), True),
    ("screen-phone.png", "/s/busy", Look(lang="en", theme="light", size="phone"), False),
    ("screen-wall.png", "/s/busy", Look(lang="en", theme="dark", size="wall"), False),
    ("overview.png", "/", Look(lang="en", theme="light", size="laptop"), False),
    ("report.png", "/s/ended/report", Look(lang="en", theme="light", size="laptop"), True),
)


async def take(browser: Browser, url: str, path: Path, look: Look, *, whole: bool) -> None:
    """Take one picture."""
    async with looking(browser, look) as page:
        await drawn(page, url)
        await page.mouse.move(0, 0)
        await page.screenshot(path=path, full_page=whole, animations="disabled")


async def main(directory: Path) -> None:
    """Take all pictures into the directory."""
    async with serving(Feed()) as feed, chromium() as browser:
        for name, page, look, whole in SHOTS:
            await take(browser, feed.url + page, directory / name, look, whole=whole)
            sys.stdout.write(f"shots: {directory / name}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.screen.shots DIRECTORY")
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
