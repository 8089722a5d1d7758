"""The host screen in a browser: right numbers, honest about their age, calm, for everybody."""

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.screen.chromium import Look, drawn, looking
from tests.screen.feed import COOKIE, Feed, serving
from tests.screen.panes import NOW, PANE, Json, pane

NOTHING = "\N{EN DASH}"  # what stands where there is no number

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]


async def open_session(page: Page, feed: Feed, name: str) -> Page:
    """Open a session's screen and wait for its first numbers."""
    await drawn(page, f"{feed.url}/s/{name}")
    await expect(page.locator("[data-at=viewers]")).not_to_have_text(NOTHING)
    return page


# --- numbers -----------------------------------------------------------------------------------


async def test_numbers_are_those_of_the_snapshot(page: Page, feed: Feed) -> None:
    """What the server says is what the page shows."""
    await open_session(page, feed, "busy")
    await expect(page.locator("[data-at=viewers]")).to_have_text("1,284")
    await expect(page.locator("[data-figure=gmv_gross] .huge span").first).to_have_text("¥184,321")
    await expect(page.locator("[data-figure=orders] .huge span").first).to_have_text("612")
    await expect(page.locator("[data-figure=uv_value] .huge span").first).to_have_text("¥21.91")
    people = await page.locator("#funnel .people").all_text_contents()
    assert people == ["8,412", "6,730", "2,140", "1,020", "655", "612"]
    await expect(page.locator("#risk [data-at=at_risk]")).to_have_text("83")
    await expect(page.locator("#products tbody tr")).to_have_count(12)


async def test_rates_over_few_people_are_too_few(page: Page, feed: Feed) -> None:
    """A rate over fewer than 30 is no number, and says of how many it is."""
    await open_session(page, feed, "starting")
    rate = page.locator("#funnel .rate > span").nth(1)
    await expect(rate).to_have_text(re.compile("^too few"))
    assert "11 people in the step before" in (await rate.get_attribute("title") or "")
    await expect(rate.locator(".vh")).to_have_text(re.compile("a rate needs 30"))


async def test_a_tile_over_few_people_lately_draws_no_arrow(page: Page, feed: Feed) -> None:
    """What five minutes brought is too few to tell, while the whole session is not."""
    gpm = feed.snapshots["busy"]["money"]["watch_gpm"]
    gpm["last_5m"] = None
    await open_session(page, feed, "busy")
    tile = page.locator("[data-figure=watch_gpm]")
    await expect(tile.locator(".huge span").first).to_have_text("¥18,934")
    await expect(tile.locator(".compare")).to_have_text("last 5 min too few")


async def test_the_weakest_step_and_factor_are_named(page: Page, feed: Feed) -> None:
    """What is furthest below the usual is marked, and said in words."""
    await open_session(page, feed, "busy")
    await expect(page.locator("#funnel [data-at=worst]")).to_have_text(
        "Weakest step: Put into the cart"
    )
    await expect(page.locator(".factors [data-worst]")).to_have_text(re.compile("Click to order"))


@pytest.mark.parametrize("look", [Look(lang="zh")])
async def test_chinese_visitors_read_chinese(page: Page, feed: Feed) -> None:
    """The browser's language chooses the words, the numbers' form and the page's language."""
    await open_session(page, feed, "chinese")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.locator("#next li").first).to_have_text(re.compile("补水面膜约 4 分钟后售罄"))


@pytest.mark.parametrize("look", [Look(lang="zh")])
async def test_huge_numbers_are_short_in_chinese_units(page: Page, feed: Feed) -> None:
    """12.84 hundred million reads 12.84 亿."""
    await open_session(page, feed, "huge")
    await expect(page.locator("[data-at=viewers]")).to_have_text("12.84亿")


async def test_an_offer_s_money_is_of_its_own_currency(page: Page, feed: Feed) -> None:
    """What is left of a budget in dollars is dollars, in the panel and in the suggestion."""
    low = {"code": "budget_low", "params": {"offer": "o2", "left": 18_000, "percent_left": 6}}
    feed.snapshots["busy"]["suggestions"] = [low]
    feed.snapshots["busy"]["offers"][1]["currency"] = "USD"
    await open_session(page, feed, "busy")
    offer = page.locator("#did .budgets li").nth(1)
    await expect(offer).to_have_text(
        re.compile(r"^\$20\.00 off · until \d\d:\d\d\$1,800 of \$3,000")
    )
    await expect(page.locator("#next li span")).to_contain_text("$180.00 left")


async def test_titles_are_text_whatever_they_hold(page: Page, feed: Feed) -> None:
    """Markup in a title is shown as it was typed."""
    await open_session(page, feed, "long")
    await expect(
        page.get_by_text("<img src=x onerror=alert(1)><b>bold</b>", exact=True)
    ).to_be_visible()
    assert await page.locator("#products img, #products tbody b").count() == 0


# --- time --------------------------------------------------------------------------------------


async def test_old_numbers_look_old(page: Page, feed: Feed) -> None:
    """Numbers that nobody renewed are dimmed, and their age is told."""
    await open_session(page, feed, "stale")
    await expect(page.locator(".chip")).to_have_text(re.compile(r"^Data is \d+ s old$"))
    await expect(page.locator("main")).to_have_attribute("data-stale", "")
    # The large number is as muted as a small heading.
    colours = await page.evaluate(
        "[...document.querySelectorAll('[data-at=viewers], h3')]"
        ".map((one) => getComputedStyle(one).color)"
    )
    assert len(set(colours)) == 1


async def test_a_small_room_s_old_numbers_look_old(page: Page, feed: Feed) -> None:
    """Workers write of quiet rooms, too: silence means the same however few are there."""
    feed.snapshots["starting"]["written_at"] = NOW - 8_000
    await open_session(page, feed, "starting")
    await expect(page.locator(".chip")).to_have_text(re.compile(r"^Data is \d+ s old$"))


async def test_the_server_s_word_makes_numbers_old(page: Page, feed: Feed) -> None:
    """What it calls stale looks stale, whatever the page reckons."""
    feed.snapshots["busy"]["stale"] = True
    await open_session(page, feed, "busy")
    await expect(page.locator(".chip")).to_have_attribute("data-state", "old")


async def test_a_lost_server_is_told_and_survived(page: Page, feed: Feed) -> None:
    """The page says that it reconnects, dims, comes back, and asks for what it missed."""
    await open_session(page, feed, "busy")
    feed.down = True
    feed.cut()
    await expect(page.locator(".chip")).to_have_text(re.compile("^Reconnecting, data is"))
    await expect(page.locator("main")).to_have_attribute("data-stale", "")
    feed.down = False
    await expect(page.locator(".chip")).to_have_text("Live")
    await expect(page.locator("main")).not_to_have_attribute("data-stale", "")
    assert feed.resumed


async def test_a_lost_source_is_told(page: Page, feed: Feed) -> None:
    """When the server has lost its own source, old numbers do not look new."""
    await open_session(page, feed, "busy")
    feed.send("busy", "status", {"state": "no_data_source"})
    await expect(page.locator(".chip")).to_have_text("No data source")
    await expect(page.locator("main")).to_have_attribute("data-stale", "")
    feed.send("busy", "status", {"state": "ok"})
    await expect(page.locator(".chip")).to_have_text("Live")


async def test_a_session_that_is_over_says_so(page: Page, feed: Feed) -> None:
    """The last numbers of an ended session are final, not old."""
    await open_session(page, feed, "ended")
    await expect(page.locator(".chip")).to_have_text(re.compile(r"^Ended at \d\d:\d\d$"))
    await expect(page.locator("main")).not_to_have_attribute("data-stale", "")


async def test_an_unknown_session_is_looked_for(page: Page, feed: Feed) -> None:
    """A session that is not there yet is shown as soon as it is."""
    await drawn(page, f"{feed.url}/s/later")
    await expect(page.locator("#notice")).to_have_text(re.compile("no session “later” yet"))
    feed.snapshots["later"] = feed.snapshots["busy"]
    await expect(page.locator("[data-at=viewers]")).to_have_text("1,284")


async def test_an_access_that_ends_shows_the_way_in(page: Page) -> None:
    """401 on the stream: the page says so and stops asking."""
    async with serving(Feed(token="t")) as feed:
        await page.context.add_cookies([{"name": COOKIE, "value": "t", "url": feed.url}])
        await open_session(page, feed, "busy")
        feed.token = "another"
        feed.cut()
        await expect(page.locator(".chip")).to_have_text("Signed out")
        await expect(page.locator("#notice a")).to_have_text("Sign in")


async def test_a_failure_of_the_page_is_told_until_it_is_loaded_anew(
    browser: Browser, feed: Feed
) -> None:
    """What comes after it hides nothing of it: some panel may stand still for ever."""
    async with looking(browser, {}) as page:
        await open_session(page, feed, "busy")
        await page.evaluate("setTimeout(() => { throw new Error('a panel stumbled') }), null")
        await expect(page.locator("#notice")).to_have_text(re.compile("a panel stumbled. Reload"))
        feed.push("busy", now=feed.snapshots["busy"]["now"] | {"viewers": 1_300})
        await expect(page.locator("[data-at=viewers]")).to_have_text("1,300")
        assert await page.locator("#notice").is_visible()
        assert await page.locator(".chip").text_content() == "Page failed"
        assert await page.locator("main[data-stale]").count() == 1


async def test_words_that_do_not_come_break_nothing(page: Page, feed: Feed) -> None:
    """A server that is away when somebody changes the language leaves the page as it was."""
    await open_session(page, feed, "busy")
    feed.down = True
    async with page.expect_response("**/words/zh.json"):
        await page.get_by_role("button", name="中文").click()
    feed.push("busy", now=feed.snapshots["busy"]["now"] | {"viewers": 1_300})
    await expect(page.locator("[data-at=viewers]")).to_have_text("1,300")
    await expect(page.locator(".chip")).to_have_text("Live")


async def test_an_offer_without_an_end_stops_nothing(page: Page, feed: Feed) -> None:
    """The contract allows times that no calendar has; every panel is drawn, and the timeline."""
    offers = [one | {"valid_until": 2**53 - 1} for one in feed.snapshots["busy"]["offers"]]
    feed.snapshots["busy"]["offers"] = offers
    await open_session(page, feed, "busy")
    await expect(page.locator("#did .budgets li").first).to_contain_text(f"until {NOTHING}")
    await expect(page.locator("#products tbody tr")).to_have_count(12)
    await expect(page.locator("#timeline [data-at=summary]")).to_contain_text("paid orders")


# --- calm --------------------------------------------------------------------------------------


async def test_at_most_four_updates_a_second(page: Page, feed: Feed) -> None:
    """However fast the server sends, the eye gets four changes a second."""
    await open_session(page, feed, "busy")
    await page.evaluate(
        """() => { window.changes = []; new MutationObserver(() => changes.push(performance.now()))
        .observe(document.querySelector("[data-at=viewers]"),
        {childList: true, characterData: true, subtree: true}) }"""
    )
    now = feed.snapshots["busy"]["now"]
    for viewers in range(2_000, 2_100):
        feed.push("busy", now=now | {"viewers": viewers})
        await asyncio.sleep(0.02)
    await expect(page.locator("[data-at=viewers]")).to_have_text("2,099")
    times: list[float] = await page.evaluate("changes")
    assert len(times) >= 5
    assert all(later - earlier >= 990 for earlier, later in zip(times, times[4:], strict=False))


async def test_what_comes_four_times_a_second_is_drawn_as_it_comes(page: Page, feed: Feed) -> None:
    """The page's pace does not beat against the server's: each update gets the next frame."""
    expression = """(() => {
      let now = 0, asked = 0, jobs = [], waits = [];
      performance.now = () => now;
      window.setTimeout = (job, ms) => jobs.push([now + ms, job]);
      window.requestAnimationFrame = (job) => jobs.push([now + 10, job]);
      const draw = m.paced(() => { waits.push(now - asked); now += 8 });
      for (let turn = 0; turn < 20; turn++) {
        asked = now = turn * 256;
        draw();
        for (; jobs.length && jobs[0][0] < asked + 256; jobs.shift()) {
          now = Math.max(now, jobs[0][0]);
          jobs[0][1]();
        }
      }
      return waits
    })()"""
    assert await ask(page, feed, "pace", expression) == [10] * 20


async def test_only_what_changed_is_touched(page: Page, feed: Feed) -> None:
    """A new viewer count leaves every other panel alone."""
    await open_session(page, feed, "busy")
    await page.evaluate(
        """() => { window.touched = 0;
        for (const panel of document.querySelectorAll("main > section:not(#now, #timeline)"))
        new MutationObserver((all) => { touched += all.length }).observe(panel,
        {childList: true, characterData: true, attributes: true, subtree: true}) }"""
    )
    feed.push("busy", now=feed.snapshots["busy"]["now"] | {"viewers": 1_300})
    await expect(page.locator("[data-at=viewers]")).to_have_text("1,300")
    assert await page.evaluate("touched") == 0


async def test_nothing_moves_when_a_notice_comes(page: Page, feed: Feed) -> None:
    """A warning lies over the page; what is below stays where it was."""
    await open_session(page, feed, "busy")
    before = await page.locator("#timeline").bounding_box()
    feed.send("busy", "status", {"state": "no_data_source"})
    await expect(page.locator("#notice")).to_be_visible()
    assert await page.locator("#timeline").bounding_box() == before


async def test_rows_keep_their_places_under_the_hand(page: Page, feed: Feed) -> None:
    """While somebody points at the table, a new best seller does not make rows jump."""
    await open_session(page, feed, "busy")
    rows = page.locator("#products tbody th .name")
    first = await rows.first.text_content()
    await page.locator("#products tbody tr").nth(2).hover()
    products = [dict(one) for one in feed.snapshots["busy"]["products"]]
    products[8]["gmv_gross"] = 10**10
    feed.push("busy", products=products)
    await expect(page.locator("#products tbody")).to_contain_text("¥100M")
    assert await rows.first.text_content() == first


async def test_no_update_leaves_anything_behind(page: Page, feed: Feed) -> None:
    """Half a minute of changes at full pace: nodes, listeners and heap stay as they were."""
    await assert_that_it_stays_small(page, feed, rounds=400, pause_s=0.06)


@pytest.mark.long
async def test_a_page_that_is_left_open_for_ten_minutes_does_not_grow(
    page: Page, feed: Feed
) -> None:
    """The same at the pace of a live session, four changes a second."""
    await assert_that_it_stays_small(page, feed, rounds=2_400, pause_s=0.25)


async def assert_that_it_stays_small(
    page: Page, feed: Feed, *, rounds: int, pause_s: float
) -> None:
    """Change everything again and again, and count what the page holds before and after."""
    await open_session(page, feed, "busy")
    session = await page.context.new_cdp_session(page)

    async def counted() -> Json:
        await session.send("HeapProfiler.collectGarbage")
        return await session.send("Memory.getDOMCounters")

    async def used() -> tuple[int, int, float]:
        """Nodes, listeners and bytes at rest: what an update replaced is gone a moment later."""
        now = await counted()
        for _ in range(20):  # a page that never rests is counted as it is
            await asyncio.sleep(0.25)
            before, now = now, await counted()
            if now == before:
                break
        heap = await session.send("Runtime.getHeapUsage")
        return now["nodes"], now["jsEventListeners"], heap["usedSize"]

    await churn(page, feed, rounds=60, pause_s=0.06)
    nodes, listeners, heap = await used()
    await churn(page, feed, rounds=rounds, pause_s=pause_s)
    later = await used()
    assert later[0] <= nodes + 50
    assert later[1] <= listeners + 5
    assert later[2] < heap + 1_000_000


async def churn(page: Page, feed: Feed, *, rounds: int, pause_s: float) -> None:
    """Change numbers, products, triggers, suggestions and panes, until the last is drawn."""
    base = feed.snapshots["busy"]
    for i in range(rounds):
        triggers = base["triggers"]
        latest = [one | {"id": f"{one['id']}-{i}"} for one in triggers["latest"]]
        feed.push(
            "busy",
            now=base["now"] | {"viewers": 1_000 + i},
            triggers=triggers | {"latest": latest},
            products=base["products"][i % 5 :] + base["products"][: i % 5],
            suggestions=base["suggestions"][i % 2 :],
        )
        feed.push_panes("busy", [pane(i, NOW + i * PANE)])
        await asyncio.sleep(pause_s)
    await expect(page.locator("[data-at=viewers]")).to_have_text(f"{999 + rounds:,}")


# --- timeline ----------------------------------------------------------------------------------


async def test_the_timeline_keeps_one_hour(page: Page, feed: Feed) -> None:
    """After any number of panes, the last 360 are kept."""
    await open_session(page, feed, "busy")
    feed.push_panes("busy", [pane(i, NOW + i * PANE) for i in range(600)])
    await expect(page.locator(".chart")).to_have_attribute("aria-valuemax", "359")


async def test_the_timeline_is_read_by_keys(page: Page, feed: Feed) -> None:
    """Arrow keys go from pane to pane, and each is put into words."""
    await open_session(page, feed, "busy")
    chart = page.locator(".chart")
    await chart.focus()
    await page.keyboard.press("End")
    newest = await chart.get_attribute("aria-valuetext")
    assert newest is not None
    assert "provisional" in newest
    assert "Viewers" in newest
    await page.keyboard.press("ArrowLeft")
    assert await chart.get_attribute("aria-valuetext") != newest


async def test_the_brush_moves_by_keys_and_by_hand(page: Page, feed: Feed) -> None:
    """Both ends of the shown stretch can be set, and a preset brings it all back."""
    await open_session(page, feed, "busy")
    start = page.get_by_role("slider", name="Start of the shown stretch")
    before = int(await start.get_attribute("aria-valuenow") or 0)
    await start.focus()
    for _ in range(3):
        await page.keyboard.press("PageUp")
    assert int(await start.get_attribute("aria-valuenow") or 0) == before + 180
    box = await start.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 200, box["y"] + 10)
    await page.mouse.up()
    assert int(await start.get_attribute("aria-valuenow") or 0) > before + 600
    await page.get_by_role("button", name="All", exact=True).click()
    assert int(await start.get_attribute("aria-valuenow") or 0) == before


async def test_corrections_and_panes_are_in_the_table(page: Page, feed: Feed) -> None:
    """What the chart marks, the table says."""
    await open_session(page, feed, "busy")
    await page.get_by_text("As a table").click()
    table = page.locator("#timeline tbody")
    await expect(table.locator("tr").first).to_contain_text("provisional")
    assert await table.get_by_text("corrected").count() == 3


# --- suggestions -------------------------------------------------------------------------------


async def test_suggestions_are_announced_once_and_can_be_dismissed(page: Page, feed: Feed) -> None:
    """A new one is read out, a changed number is not, a dismissed one stays away."""
    await open_session(page, feed, "busy")
    live = page.locator("#next [aria-live=polite]")
    await expect(live).to_contain_text("New suggestion: Hydrating face mask sells out")
    said = await live.text_content()
    suggestions: list[Json] = json.loads(json.dumps(feed.snapshots["busy"]["suggestions"]))
    suggestions[0]["params"]["stock"] = 11
    feed.push("busy", suggestions=suggestions)
    await expect(page.locator("#next li").first).to_contain_text("11 left")
    assert await live.text_content() == said
    await page.get_by_role("button", name=re.compile("^Dismiss: Hydrating")).click()
    await expect(page.locator("#next li")).to_have_count(2)
    feed.push("busy", suggestions=suggestions, now=feed.snapshots["busy"]["now"] | {"viewers": 1})
    await expect(page.locator("[data-at=viewers]")).to_have_text("1")
    await expect(page.locator("#next li")).to_have_count(2)
    focused: str = await page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith("Dismiss: ")


async def test_factors_are_suggestions_of_their_own(page: Page, feed: Feed) -> None:
    """Who dismisses one hears of the other, and of a change from one to the other."""
    one, other = (
        {"code": "worst_factor", "params": {"factor": factor, "percent_below": 21, "of": 480}}
        for factor in ("click_to_order", "order_value")
    )
    feed.snapshots["busy"]["suggestions"] = [one]
    await open_session(page, feed, "busy")
    await page.get_by_role("button", name=re.compile("^Dismiss: Click to order")).click()
    await expect(page.locator("#next li")).to_have_count(0)
    feed.push("busy", suggestions=[other])
    await expect(page.locator("#next li")).to_contain_text(["Order value is 21% below usual"])
    await expect(page.locator("#next [aria-live=polite]")).to_contain_text("Order value")


async def test_a_dismissed_suggestion_makes_room_for_the_next(page: Page, feed: Feed) -> None:
    """Of all that the server sends, the three most urgent that nobody dismissed are shown."""
    more = {"code": "viewers_leaving", "params": {"leaving_per_min": 97, "joining_per_min": 8}}
    feed.snapshots["busy"]["suggestions"].append(more)
    await open_session(page, feed, "busy")
    shown = page.locator("#next li span")
    await expect(shown).to_have_count(3)
    await page.get_by_role("button", name=re.compile("^Dismiss: Hydrating")).click()
    await expect(shown).to_have_count(3)
    await expect(shown.last).to_contain_text("97 viewers a minute leave")


async def test_a_code_without_words_is_left_out(page: Page, feed: Feed) -> None:
    """A newer server may know suggestions that this page does not."""
    unknown = {"code": "dance", "params": {}}
    feed.snapshots["busy"]["suggestions"] = [unknown]
    await open_session(page, feed, "busy")
    await expect(page.locator("#next li")).to_have_count(0)
    await expect(page.locator("#next [data-at=none]")).to_have_text("Nothing urgent. Carry on.")


# --- choices -----------------------------------------------------------------------------------


async def test_tables_sort_by_keys(page: Page, feed: Feed) -> None:
    """Enter on a heading sorts, again turns it round; empty values come last either way."""
    await open_session(page, feed, "busy")
    heading = page.locator("#products thead button", has_text="Sells out in")
    for direction in ("descending", "ascending"):
        await heading.press("Enter")
        await expect(heading.locator("..")).to_have_attribute("aria-sort", direction)
        await expect(page.locator("#products tbody tr").first).to_contain_text("about")
    await expect(page.locator("#products tbody tr").first).to_contain_text("about 4 min")


async def test_language_and_theme_are_remembered(page: Page, feed: Feed) -> None:
    """Both can be changed at once, without a reload, and stay for the next visit."""
    await open_session(page, feed, "busy")
    await page.get_by_role("button", name="中文").click()
    await expect(page.locator("#now h3").first).to_have_text("在线观众")
    await page.get_by_role("button", name="切换浅色与深色").click()
    await page.reload()
    await expect(page.locator("#now h3").first).to_have_text("在线观众")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


# --- modules -----------------------------------------------------------------------------------


async def ask(page: Page, feed: Feed, module: str, expression: str) -> Any:
    """Evaluate an expression over the exports of one of the page's modules, ``m``."""
    await open_session(page, feed, "busy")
    return await page.evaluate(
        f"async () => {{ const m = await import('/static/js/{module}.js'); return {expression} }}"
    )


async def test_money_has_the_minor_units_of_its_currency(page: Page, feed: Feed) -> None:
    """Yen have none, yuan have two; without a currency it is a plain number."""
    shown = await ask(
        page, feed, "format",
        "[m.money(12345, 'CNY'), m.money(12345, 'JPY'), m.money(12345, null), m.money(null, 'CNY'),"
        " m.shortMoney(99999, 'CNY'), m.shortMoney(1e9, 'CNY'), m.shortMoney(123456789012, 'USD')]",
    )  # fmt: skip
    assert shown == ["¥123.45", "¥12,345", "123.45", NOTHING, "¥999.99", "¥10M", "$1.235B"]


async def test_events_come_whole_from_any_pieces(page: Page, feed: Feed) -> None:
    """Wherever the network cuts the stream, the same events come out."""
    stream = (
        'retry: 1000\n\n: beat\n\nid: 7\nevent: panes\ndata: {"rows":\ndata: []}\n\ndata: 1\n\n'
    )
    expression = (
        "[1, 3, 1000].map((size) => { const got = [];"
        " const feed = m.parser((...event) => got.push(event));"
        f" const all = {json.dumps(stream)};"
        " for (let i = 0; i < all.length; i += size) feed(all.slice(i, i + size)); return got })"
    )
    expected = [["panes", {"rows": []}, "7"], ["message", 1, None]]
    assert await ask(page, feed, "stream", expression) == [expected] * 3


async def test_spreadsheets_run_no_formula_of_a_title(page: Page, feed: Feed) -> None:
    """A text that begins like a formula is defused; numbers stay numbers."""
    rows = '{heads: ["a", "b"], rows: [["=1+1", -2], ["say \\"hi\\", you", null]]}'
    assert await ask(page, feed, "export", f"m.csv({rows})") == (
        'a,b\r\n\'=1+1,-2\r\n"say ""hi"", you",'
    )


async def test_panes_keep_the_newest_revision(page: Page, feed: Feed) -> None:
    """A pane that comes late does not undo what is known; holes are nulls."""
    row = json.dumps(pane(1, 0) | {"revision": 5, "viewers": 50})
    older = json.dumps(pane(1, 0) | {"revision": 4, "viewers": 40})
    later = json.dumps(pane(1, 2 * PANE) | {"viewers": 60})
    seen = await ask(
        page, feed, "panes",
        f"(() => {{ const all = new m.Panes(); all.add([{row}, {later}]); all.add([{older}]);"
        " return all.columns().lanes[0] })()",
    )  # fmt: skip
    assert seen == [50, None, 60]
