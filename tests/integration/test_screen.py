"""The screen on the real stack: Kafka, Redis, a worker and `livepulse screen`, each a process."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
import redis
from playwright.async_api import expect

from agents.screen.tokens import Tokens
from agents.settings import Settings
from agents.views.keys import Keys
from schemas.results import ConversionRow, CouponTrigger, Decision
from tests.integration.cluster import (
    PARTITIONS,
    PATIENCE_S,
    Site,
    WorkerProcess,
    _environment,
    decoded,
    new_site,
    until,
)
from tests.integration.kafka import Kafka
from tests.integration.outcome import newest_rows, wait_counted
from tests.integration.world import World, clock_events, count, make_world
from tests.ports import free_port
from tests.screen.chromium import PATIENCE_MS, chromium, drawn, looking

pytestmark = pytest.mark.kafka

AHEAD_MS = 4_000


class ScreenProcess:
    """``livepulse screen`` in a process of its own, which dies with the tests."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._tokens = Tokens(settings)
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_port = free_port()
        command = [sys.executable, "-m", "agents.cli", "screen", "--port", str(port)]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, "--metrics-port", str(self.metrics_port)],
            env=_environment(settings),
        )

    def sign(self, *sessions: str) -> str:
        """Make a token of a host of these sessions, or of an operator."""
        return self._tokens.sign(sessions=frozenset(sessions), operator=not sessions, ttl_s=600)

    def get(self, path: str, *sessions: str) -> tuple[int, Any]:
        """Ask as a host of these sessions, or as an operator; 0 while nobody answers."""
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.sign(*sessions)}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, None

    def ready(self) -> "ScreenProcess":
        """Wait until it answers."""
        until(lambda: "the screen answers", lambda: self.get("/v1/me")[0] == 200)
        return self

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait()


class Stack(NamedTuple):
    """Everything that runs, and what went in."""

    site: Site
    world: World
    worker: WorkerProcess
    screen: ScreenProcess
    port: int


@contextmanager
def screen_of(settings: Settings, port: int) -> Iterator[ScreenProcess]:
    """Run a screen for the length of the block."""
    screen = ScreenProcess(settings, port)
    try:
        yield screen.ready()
    finally:
        screen.kill()


@pytest.fixture(scope="module")
def stack(
    kafka: Kafka, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Bring a world of four minutes through a worker, which goes on running."""
    directory = tmp_path_factory.mktemp("screen")
    site = new_site(kafka, redis_url, directory, screen_token_key="k" * 40)
    site.create_topics()
    world, later = _world()
    site.feed(world.records)
    site.feed(later)
    port = free_port()
    with site.worker() as worker, screen_of(site.settings, port) as screen:
        worker.ready()
        wait_counted(site, world)
        yield Stack(site, world, worker, screen, port)


def _world() -> tuple[World, list[Any]]:
    import time  # noqa: PLC0415 - the world is made for now

    start_ms = time.time_ns() // 1_000_000 + AHEAD_MS
    world = make_world(
        start_ms=start_ms, rate=40.0, viewers=500, sessions=2, warm_up_s=240.0, duration_s=10.0,
    )  # fmt: skip
    return world, clock_events(start_ms + 25_000, PARTITIONS)


def rows_of(site: Site) -> dict[Any, ConversionRow]:
    """Return the newest rows that the topic holds."""
    return newest_rows(decoded(site.read(site.settings.topic_of("ConversionRow")), ConversionRow))


def whole(stack: Stack, session_id: str) -> ConversionRow:
    """Return the row of a whole session."""
    return rows_of(stack.site)[session_id, "session", session_id, "session", 0]


def eventually(found: Callable[[], Any], wanted: Any) -> None:
    """Wait until something is what it should be."""
    until(lambda: f"{found()} is {wanted}", lambda: found() == wanted)


@pytest.fixture(params=[0, 1])
def session_id(stack: Stack, request: pytest.FixtureRequest) -> str:
    """Return each session of the world."""
    found: str = sorted(count(stack.world))[request.param]
    return found


def test_the_numbers_are_those_in_the_topics(stack: Stack, session_id: str) -> None:
    """People, money, orders and counts of a whole session."""
    wanted = whole(stack, session_id)

    def shown() -> Any:
        return stack.screen.get(f"/v1/sessions/{session_id}")[1]

    eventually(lambda: shown()["money"]["gmv_gross"]["value"], wanted.money["gmv_gross"])
    found = shown()
    people = {step["step"]: step["people"] for step in found["funnel"]}
    assert people | {"interacted": wanted.people["interacted"]} == wanted.people
    assert found["money"]["gmv_net"]["value"] == wanted.money["gmv_net"]
    assert found["session"]["orders"] == wanted.counts.get("OrderPaid", 0)
    path = f"/v1/sessions/{session_id}/conversion?window=session"
    assert stack.screen.get(path)[1]["rows"][0]["counts"] == wanted.counts


@pytest.mark.browser
async def test_the_page_shows_the_numbers_in_the_topics(stack: Stack, session_id: str) -> None:
    """What a host reads in a browser: people at every step, and money."""
    wanted = whole(stack, session_id)
    async with chromium() as browser, looking(browser, {}) as page:
        token = stack.screen.sign(session_id)
        signed_in = await page.request.post(f"{stack.screen.url}/v1/login", data={"token": token})
        assert signed_in.ok
        await drawn(page, f"{stack.screen.url}/s/{session_id}")
        people = page.locator("#funnel .people")
        await expect(people).to_have_text(
            [f"{wanted.people[step]:,}" for step in _FUNNEL], timeout=PATIENCE_MS
        )
        for figure in ("gmv_gross", "gmv_net"):
            shown = page.locator(f"[data-figure={figure}] .huge > span").first
            await expect(shown).to_have_text(_yuan(wanted.money[figure]), timeout=PATIENCE_MS)


_FUNNEL = ("viewers", "exposed", "clicked", "carted", "ordered", "paid")


def _yuan(minor: int) -> str:
    """Return an amount as the page writes it: without fen from 1,000 yuan on."""
    return f"¥{minor / 100:,.2f}" if minor < 100_000 else f"¥{minor / 100:,.0f}"


def test_shelf_and_stock_are_what_the_host_said(stack: Stack, session_id: str) -> None:
    """The newest stock of every product that was listed."""
    stock: dict[str, int] = {}
    for event in stack.world.good():
        if event["session_id"] == session_id and event["type"] in _STOCK:
            stock[event["product_id"]] = event["stock"]

    def shown() -> dict[str, int]:
        products = stack.screen.get(f"/v1/sessions/{session_id}/products")[1]["products"]
        return {one["id"]: one["stock"] for one in products if one["listed"]}

    eventually(shown, stock)


_STOCK = {"ProductListed", "StockChanged"}


def test_what_was_decided_is_counted_once(stack: Stack, session_id: str) -> None:
    """Sent and suppressed as in the topics, by kind and by reason."""
    site = stack.site
    coupons = decoded(site.read(site.settings.topic_of("CouponTrigger")), CouponTrigger)
    decisions = decoded(site.read(site.settings.topic_of("Decision")), Decision)
    held = Counter(
        one.reason
        for one in decisions
        if one.session_id == session_id and one.outcome == "suppressed"
    )

    def shown() -> tuple[int, dict[str, int]]:
        found = stack.screen.get(f"/v1/sessions/{session_id}/triggers")[1]
        reasons = {one["reason"]: one["count"] for one in found["suppressed"]}
        return found["coupons"]["sent"], reasons

    eventually(shown, (sum(one.session_id == session_id for one in coupons), dict(held)))


def test_two_hosts_do_not_see_each_others_session(stack: Stack) -> None:
    """Not in the list, not by its id."""
    one, other = sorted(count(stack.world))
    assert stack.screen.get(f"/v1/sessions/{one}", one)[0] == 200
    assert stack.screen.get(f"/v1/sessions/{other}", one)[0] == 404
    listed = stack.screen.get("/v1/sessions", one)[1]["sessions"]
    assert [line["id"] for line in listed] == [one]


def test_views_that_redis_has_lost_come_back(stack: Stack) -> None:
    """Shelf, rows, the tasks' parts and what budgets have left; nobody restarts anything."""
    session_id = min(count(stack.world))
    keys = Keys(stack.site.settings.redis_prefix)

    def shown() -> Any:
        status, found = stack.screen.get(f"/v1/sessions/{session_id}")
        if status != HTTPStatus.OK:  # it is noticed that it is gone before it is back
            return None
        return _whole(found), [p["id"] for p in found["products"]], found["offers"]

    def caught_up() -> Any:
        found = shown()
        return found if found and found[0][1]["gmv_gross"] == paid else None

    paid = whole(stack, session_id).money["gmv_gross"]
    before = until(lambda: f"{shown()} shows {paid}", caught_up)
    with redis.Redis.from_url(stack.site.settings.redis_url) as client:
        client.delete(*client.scan_iter(f"{keys.prefix}:*"))
        kept = [keys.shelf(session_id), keys.total(session_id), keys.glance(session_id)]
        until(lambda: f"all of {kept} are there again", lambda: client.exists(*kept) == len(kept))
    eventually(shown, before)


def test_a_killed_screen_is_replaced(stack: Stack) -> None:
    """A new process on the same port has the same numbers at once; nothing was in the old one."""
    session_id = min(count(stack.world))
    before = stack.screen.get(f"/v1/sessions/{session_id}")[1]
    stack.screen.kill()
    assert stack.screen.get("/v1/me")[0] == 0
    with screen_of(stack.site.settings, stack.port) as second:
        after = second.get(f"/v1/sessions/{session_id}")[1]
    assert _whole(after) == _whole(before)
    assert after["revision"] > before["revision"]


def _whole(snapshot: Any) -> Any:
    """Return what a snapshot says of the session as a whole.

    Windows of five minutes are left out: a screen reads them every ten seconds only, and whether
    the world had a full one depends on the time of day.
    """
    people = {step["step"]: (step["people"], step["from_previous"]) for step in snapshot["funnel"]}
    return people, {name: tile["value"] for name, tile in snapshot["money"].items()}
