"""The overview, the report and the sign-in in a browser."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Download, Page, expect

from tests.screen.chromium import drawn, looking
from tests.screen.feed import COOKIE, Feed, serving
from tests.screen.panes import NOW

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

TOKEN = "header.payload.signature"  # the scripted server compares it as text
NOTHING = "\N{EN DASH}"  # what stands where there is no number
PNG = b"\x89PNG\r\n\x1a\n"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded() -> AsyncIterator[Feed]:
    """Give a server that lets nobody in without the token."""
    async with serving(Feed(token=TOKEN)) as served:
        yield served


async def content(download: Download) -> bytes:
    """Return what was downloaded."""
    return await asyncio.to_thread((await download.path()).read_bytes)


# --- overview ----------------------------------------------------------------------------------


async def test_overview_sorts_live_sessions(page: Page, feed: Feed) -> None:
    """The best seller first; a click on viewers puts the fullest room first."""
    await drawn(page, feed.url)
    names = page.locator("#live .name")
    await expect(names.first).to_have_text("Autumn skin care, live from the studio")
    await page.locator("#live thead button", has_text="Viewers now").click()
    await expect(names.first).to_have_text("Flash sale: earbuds and thermos")
    await expect(page.locator("#live-title")).to_have_text("3 sessions are live")
    await expect(page.locator("#over tbody tr")).to_have_count(2)


async def test_overview_leads_to_screens_and_reports(page: Page, feed: Feed) -> None:
    """A live session leads to its screen, an ended one to its report."""
    await drawn(page, feed.url)
    await expect(page.locator("#live .name").first).to_have_attribute("href", "/s/busy")
    await expect(page.locator("#over .name").first).to_have_attribute("href", "/s/coats/report")


async def test_overview_follows_the_server(page: Page, feed: Feed) -> None:
    """A new session appears by itself; a lost server is told, and what is shown looks old."""
    feed.sessions = []
    await drawn(page, feed.url)
    await expect(page.locator("#notice")).to_have_text(re.compile("^No session yet"))
    feed.sessions = [feed.snapshots["busy"]["session"]]
    await expect(page.locator("#live tbody tr")).to_have_count(1)
    feed.down = True
    await expect(page.locator(".chip")).to_have_text(re.compile("^Reconnecting"))
    await expect(page.locator("main")).to_have_attribute("data-stale", "")


async def test_overview_says_which_sessions_are_old(page: Page, feed: Feed) -> None:
    """Numbers that nobody renews are grey and tell their age; those of other sessions are not."""
    feed.sessions[0] |= {"stale": True, "written_at": NOW - 47_000}
    await drawn(page, feed.url)
    stale = page.locator("#live tr[data-stale]")
    await expect(stale).to_have_count(1)
    await expect(stale).to_have_text(re.compile(r"host-lin · Data is \d\d s old"))
    await expect(page.locator(".chip")).to_have_attribute("data-state", "live")


async def test_overview_is_old_when_all_of_it_is(page: Page, feed: Feed) -> None:
    """Where no session is written any more, the whole page says how old its newest number is."""
    for i, one in enumerate(feed.sessions[:3]):
        one |= {"stale": True, "written_at": NOW - (i + 1) * 200_000}
    await drawn(page, feed.url)
    await expect(page.locator(".chip")).to_have_text("Data is 3 min old")
    await expect(page.locator("#notice")).to_have_text(re.compile("^These numbers are old"))


async def test_overview_s_clocks_go_on_while_nothing_changes(page: Page, feed: Feed) -> None:
    """What has not changed is not sent again; time passes all the same."""
    await drawn(page, feed.url)
    running = page.locator("#live tbody tr").first.locator("td").last
    before = await running.text_content()
    await expect(running).not_to_have_text(before or "")


async def test_overview_does_not_wait_for_ever(page: Page, feed: Feed) -> None:
    """A server that takes a question and never answers is told like one that is away."""
    await drawn(page, feed.url)
    feed.hangs = True
    await expect(page.locator(".chip")).to_have_text(re.compile("^Reconnecting, data is"))
    await expect(page.locator("#notice")).to_have_text(re.compile("^The connection was lost"))


async def test_overview_s_failure_is_told_until_it_is_loaded_anew(
    browser: Browser, feed: Feed
) -> None:
    """The next answer of the server hides nothing of it."""
    async with looking(browser, {}) as page:
        await drawn(page, feed.url)
        await page.evaluate("setTimeout(() => { throw new Error('a row stumbled') }), null")
        await expect(page.locator("#notice")).to_have_text(re.compile("a row stumbled. Reload"))
        feed.sessions.pop()
        await expect(page.locator("#over tbody tr")).to_have_count(1)
        assert await page.locator("#notice").is_visible()
        assert await page.locator(".chip").text_content() == "Page failed"
        assert await page.locator("main[data-stale]").count() == 1


# --- report ------------------------------------------------------------------------------------


async def test_report_says_what_the_session_brought(page: Page, feed: Feed) -> None:
    """The cover, the sums and the shelf of a session that is over."""
    await drawn(page, f"{feed.url}/s/ended/report")
    await expect(page.locator("#cover h2")).to_have_text("Autumn skin care, live from the studio")
    await expect(page.locator("#cover dl")).to_contain_text("0:52:00")
    await expect(page.locator("#summary tbody tr").first).to_have_text(re.compile("¥184,320.50"))
    await expect(page.locator("#products tbody tr")).to_have_count(14)


@pytest.mark.parametrize(
    ("section", "begins"),
    [
        ("summary", ["Figure,Whole session,Last 5 min,Average 5 min", "GMV,184320.5,21403,17331"]),
        ("funnel", ["Step,People,From the step before,Usual 5 min,Last 5 min", "Came in,8412,,,"]),
        (
            "products",
            ["Product,Price (CNY),Stock,Sells out in,Seen", "Hydrating face mask,499,12,,1733"],
        ),
        ("triggers", ["Kind,sent,shown,accepted,declined,", "Coupons,148,131,64,22,16104"]),
        (
            "budgets",
            ["Offer,Currency,Budget,Left,Valid until", "10% off,USD,5000,2123,2026-09-21T"],
        ),
        ("held", ["Reason,Times", "the viewer's last coupon was too recent,212"]),
        ("markers", ["Time,What", "2026-09-21T13:18:20.000Z,pinned: Down jacket"]),
        (
            "timeline",
            ["Time,Viewers,GMV (CNY),Paid orders,Into carts,Comments,Likes,Status", "2026-09-21T"],
        ),
    ],
)
async def test_tables_are_taken_away_as_csv(
    page: Page, feed: Feed, section: str, begins: list[str]
) -> None:
    """Plain values: money in major units, times in UTC, text as text."""
    feed.snapshots["ended"]["offers"][0]["currency"] = "USD"
    await drawn(page, f"{feed.url}/s/ended/report")
    async with page.expect_download() as download:
        await page.locator(f"#{section}").get_by_role("button", name=re.compile("CSV")).click()
    lines = (await content(await download.value)).decode("utf-8-sig").split("\r\n")
    assert [line.startswith(start) for line, start in zip(lines, begins, strict=False)] == [
        True
    ] * 2


async def test_everything_is_taken_away_as_a_picture(page: Page, feed: Feed) -> None:
    """Each table and the chart become a PNG of some size."""
    await drawn(page, f"{feed.url}/s/ended/report")
    buttons = page.get_by_role("button", name=re.compile("PNG"))
    await expect(buttons).to_have_count(10)
    for button in await buttons.all():
        async with page.expect_download() as download:
            await button.click()
        data = await content(await download.value)
        assert data.startswith(PNG)
        assert len(data) > 5_000


async def test_a_printed_report_has_no_buttons(page: Page, feed: Feed) -> None:
    """Paper shows what was, not what to click, in black on white."""
    await drawn(page, f"{feed.url}/s/ended/report")
    await page.emulate_media(media="print", color_scheme="dark")
    await page.evaluate("dispatchEvent(new Event('beforeprint')), null")
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.evaluate("dispatchEvent(new Event('afterprint')), null")
    await expect(page.locator("html")).not_to_have_attribute("data-theme", "light")
    assert await page.locator(":is(button, a.quiet):visible:not(thead *)").count() == 0
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(20, 23, 28)"


async def test_a_report_of_a_running_session_says_so(page: Page, feed: Feed) -> None:
    """Numbers so far are not taken for the last ones."""
    await drawn(page, f"{feed.url}/s/busy/report")
    await expect(page.locator("#cover")).to_contain_text("The session is still running")


async def test_a_report_s_rates_name_their_denominators(page: Page, feed: Feed) -> None:
    """Money per person of a few people is no number, there as on the live screen."""
    await drawn(page, f"{feed.url}/s/starting/report")
    rates = page.locator("#summary tbody tr:nth-child(n + 4)")
    for rate, per in zip(await rates.all(), ("views", "viewers"), strict=True):
        value, lately = rate.locator("td").nth(0), rate.locator("td").nth(1)
        await expect(value).to_have_text(f"too few (too few to tell: 11 {per}, a rate needs 30)")
        await expect(lately).to_have_text("too few")


async def test_a_report_bears_an_offer_without_an_end(page: Page, feed: Feed) -> None:
    """A time that no calendar has is shown, and taken away, as none."""
    feed.snapshots["ended"]["offers"][0]["valid_until"] = 2**53 - 1
    await drawn(page, f"{feed.url}/s/ended/report")
    await expect(page.locator("#budgets tbody tr").first).to_have_text(re.compile(f"{NOTHING}$"))
    async with page.expect_download() as download:
        await page.locator("#budgets").get_by_role("button", name=re.compile("CSV")).click()
    lines = (await content(await download.value)).decode("utf-8-sig").split("\r\n")
    assert lines[1] == "10% off,CNY,5000,2123,"


# --- sign-in -----------------------------------------------------------------------------------


async def test_a_link_signs_in_and_leaves_no_token_behind(page: Page, guarded: Feed) -> None:
    """The fragment's token is posted, taken out of the address, and the only session opens."""
    await page.goto(f"{guarded.url}/login#{TOKEN}")
    await expect(page.locator("[data-at=viewers]")).to_have_text("1,284")
    assert page.url == f"{guarded.url}/s/busy"
    await page.go_back()
    assert TOKEN not in page.url


async def test_a_stranger_signs_in_where_he_stands(page: Page, guarded: Feed) -> None:
    """A page that needs a token shows the sign-in under its own address, then itself."""
    await drawn(page, f"{guarded.url}/s/busy/report")
    await page.get_by_label("Access token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#cover h2")).to_have_text("Autumn skin care, live from the studio")


async def test_a_wrong_token_is_refused_in_words(page: Page, guarded: Feed) -> None:
    """The reason is read out, and the field is ready for another one."""
    await drawn(page, f"{guarded.url}/login")
    await page.get_by_label("Access token").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text(re.compile("not valid"))
    assert await page.evaluate("document.activeElement.id") == "token"
    assert not any(cookie.get("name") == COOKIE for cookie in await page.context.cookies())


async def test_too_many_tries_are_told_in_words(page: Page, guarded: Feed) -> None:
    """Who tries too often hears that, and how long to wait; nothing is wrong with the server."""
    guarded.tries = 1
    await drawn(page, f"{guarded.url}/login")
    await page.get_by_label("Access token").fill("wrong")
    for said in ("not valid", "too many tries. Wait a minute"):
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text(re.compile(said))
