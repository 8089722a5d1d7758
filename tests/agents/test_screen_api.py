"""The screen's answers: who gets what, ETags, headers, limits, wrong questions, lost Redis."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from agents.screen import api, pages
from agents.screen.access import COOKIE
from agents.screen.limits import Limiter
from agents.screen.server import pseudonym, secret
from schemas import events as ev
from schemas.results import ConversionRow
from streams.journal import Marked, Sent
from streams.screen import Pane, Risk, SessionLine, Snapshot, Triggers
from tests.agents.screen_stage import Stage, running, settings_of, write, writing
from tests.deploy.metrics_table import documented
from tests.redis_server import RedisServer
from tests.redis_server import running as running_redis
from tests.streams.world import T0, World, simulated


@pytest.fixture(scope="module")
def world() -> World:
    """Run two sessions through two tasks."""
    return World(tasks=2).run(simulated(tasks=2, events=5_000, ends=False))


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[RedisServer]:
    """Start one Redis for all tests of this module, and write the world into it."""
    with running_redis() as started, settings_of(started) as settings:
        asyncio.run(write(settings, world))
        yield started


@pytest_asyncio.fixture
async def stage(server: RedisServer) -> AsyncIterator[Stage]:
    """Run a screen whose Redis holds the world."""
    async with running(server) as started:
        yield started


@pytest.fixture
def ids(world: World) -> list[str]:
    """Return the two sessions."""
    return sorted(world.state.sessions)


async def test_the_list_is_what_the_rows_say(stage: Stage, world: World) -> None:
    """Every session with its numbers, for an operator."""
    body = (await stage.get("/v1/sessions")).json()
    lines = {one.id: one for one in msgspec.convert(body["sessions"], list[SessionLine])}
    totals = [r for r in world.rows.values() if r.scope == "session" and r.window == "session"]
    assert lines.keys() == {row.session_id for row in totals}
    for row in totals:
        found = lines[row.session_id]
        assert (found.viewers, found.gmv_gross) == (row.people["viewers"], row.money["gmv_gross"])
        assert found.title
        assert found.written_at is not None


async def test_operators_who_come_at_once_all_get_the_list(stage: Stage, ids: list[str]) -> None:
    """Also those who come while the first of them is still waiting."""
    replies = await asyncio.gather(*(stage.get("/v1/sessions") for _ in range(10)))
    for reply in replies:
        assert sorted(one["id"] for one in reply.json()["sessions"]) == ids


async def test_a_host_sees_only_the_own_session(stage: Stage, ids: list[str]) -> None:
    """In the list, and everywhere: another's session is 404, as one that does not exist."""
    token = stage.token(ids[0])
    listed = (await stage.get("/v1/sessions", token)).json()["sessions"]
    assert [one["id"] for one in listed] == [ids[0]]
    for part in ("", "/conversion", "/panes", "/churn", "/products", "/triggers", "/events"):
        assert (await stage.get(f"/v1/sessions/{ids[1]}{part}", token)).status == 404
        assert (await stage.get(f"/v1/sessions/nobody{part}", token)).status == 404
        if part != "/events":
            assert (await stage.get(f"/v1/sessions/{ids[0]}{part}", token)).status == 200


PRIVATE = ("/v1/sessions", "/v1/sessions/s1", "/v1/sessions/s1/events", "/v1/me",
           "/v1/openapi.json", "/v1/nothing")  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
async def test_without_a_valid_token_there_is_401_and_nothing_else(stage: Stage, path: str) -> None:
    """No token, a wrong one, one that has run out."""
    for token in ("", "wrong", stage.token("s1", ttl_s=-60)):
        reply = await stage.get(path, token)
        assert reply.status == 401
        assert reply.json().keys() == {"error"}


async def test_the_snapshot_is_what_its_type_says(stage: Stage, ids: list[str]) -> None:
    """It decodes strictly, with the parts of both tasks."""
    reply = await stage.get(f"/v1/sessions/{ids[0]}")
    shown = msgspec.json.decode(reply.body, type=Snapshot)
    assert sum(shown.risk.bins) > 0
    assert shown.products
    assert shown.triggers.recommendations.sent > 0
    assert shown.written_at is not None
    assert sum(one.count or 0 for one in shown.markers if one.kind == "trigger") == (
        shown.triggers.recommendations.sent + shown.triggers.coupons.sent
    )


async def test_viewers_are_pseudonyms(stage: Stage, world: World, ids: list[str]) -> None:
    """No viewer's id in any answer; the names can only be made with the key."""
    viewers = {v for t in world.tasks for s in t.state.sessions.values() for v in s.visits}
    text = ""
    for part in ("", "/churn?top=200", "/triggers", "/products", "/conversion?channel=*"):
        text += (await stage.get(f"/v1/sessions/{ids[0]}{part}")).body.decode()
    assert [one for one in viewers if one in text] == []
    first = next(t for t in world.results.recommendations if t.session_id == ids[0])
    assert pseudonym(secret(stage.settings), first.viewer_id) in text


async def test_the_same_answer_is_304(stage: Stage, ids: list[str]) -> None:
    """Also where the body tells the time at which it was made."""
    for path in ("/v1/sessions", f"/v1/sessions/{ids[0]}", f"/v1/sessions/{ids[0]}/conversion"):
        first = await stage.get(path)
        again = await stage.get(path, If_None_Match=f'"x", {first.headers["ETag"]}')
        assert (first.status, again.status, again.body) == (200, 304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]


async def test_rows_of_every_window_and_scope(stage: Stage, world: World, ids: list[str]) -> None:
    """What the table published, by start."""
    for query, scope, window in (
        ("", "session", "1m"),
        ("?window=10s", "session", "10s"),
        ("?window=session", "session", "session"),
        ("?window=5m&product=*", "product", "5m"),
        ("?window=session&channel=*", "channel", "session"),
    ):
        reply = await stage.get(f"/v1/sessions/{ids[0]}/conversion{query}")
        found = msgspec.convert(reply.json()["rows"], list[ConversionRow])
        wanted = [
            row
            for row in world.rows.values()
            if (row.session_id, row.scope, row.window) == (ids[0], scope, window)
        ]
        assert found == sorted(wanted, key=lambda row: (row.start, row.scope_id))
        assert found


async def test_rows_of_a_stretch_and_of_one_product(stage: Stage, ids: list[str]) -> None:
    """``from`` and ``to`` include their ends; an unknown product has no rows."""
    path = f"/v1/sessions/{ids[0]}/conversion"
    rows = (await stage.get(f"{path}?window=10s")).json()["rows"]
    since, until = rows[1]["start"], rows[3]["start"]
    some = (await stage.get(f"{path}?window=10s&from={since}&to={until}")).json()["rows"]
    assert some == rows[1:4]
    products = (await stage.get(f"{path}?window=session&product=*")).json()["rows"]
    name = products[0]["scope_id"]
    one = (await stage.get(f"{path}?window=session&product={name}")).json()["rows"]
    assert one == products[:1]
    for nothing in ("product=none", f"product={name}&channel=*"):
        assert (await stage.get(f"{path}?window=session&{nothing}")).json() == {"rows": []}


async def test_parts_are_those_of_the_snapshot(stage: Stage, ids: list[str]) -> None:
    """Whole: more viewers, more triggers; panes for the report."""
    path = f"/v1/sessions/{ids[0]}"
    shown = msgspec.json.decode((await stage.get(path)).body, type=Snapshot)
    churn = msgspec.json.decode((await stage.get(f"{path}/churn?top=1")).body, type=Risk)
    assert (churn.bins, churn.top) == (shown.risk.bins, shown.risk.top[:1])
    triggers = msgspec.json.decode((await stage.get(f"{path}/triggers")).body, type=Triggers)
    assert triggers.latest[:50] == shown.triggers.latest
    panes = msgspec.convert((await stage.get(f"{path}/panes")).json()["rows"], list[Pane])
    assert sum(one.gmv_gross for one in panes) == shown.money["gmv_gross"].value


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("conversion?window=2m", "window"),
        ("conversion?from=yesterday", "from"),
        ("conversion?to=-1", "to"),
        ("conversion?product=", "product"),
        ("churn?top=0", "top"),
        ("churn?top=201", "top"),
        ("churn?top=%D9%A3", "top"),  # an Arabic three
    ],
)
async def test_a_wrong_question_names_the_field(
    stage: Stage, ids: list[str], query: str, field: str
) -> None:
    """400, and what it should be."""
    reply = await stage.get(f"/v1/sessions/{ids[0]}/{query}")
    assert reply.status == 400
    assert reply.json()["error"].startswith(f"{field}: ")


async def test_every_answer_has_the_security_headers(stage: Stage, ids: list[str]) -> None:
    """Pages, data, errors, files."""
    for path in ("/", "/login", "/v1/sessions", f"/v1/sessions/{ids[0]}", "/nothing", "/healthz"):
        for token in ("", None):
            headers = (await stage.get(path, token)).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"


async def test_signing_in_sets_a_cookie_that_scripts_cannot_read(stage: Stage) -> None:
    """The page posts the token; the cookie then opens the API."""
    token = stage.token("s1")
    async with stage.browser.post(f"{stage.url}/v1/login", json={"token": token}) as reply:
        assert reply.status == 200
        assert (await reply.json())["sessions"] == ["s1"]
        cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}={token};")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    sent = {"Cookie": f"{COOKIE}={token}"}
    async with stage.browser.get(f"{stage.url}/v1/me", headers=sent) as reply:
        assert (await reply.json())["role"] == "host"


async def test_behind_tls_the_cookie_is_secure(server: RedisServer) -> None:
    """The address that hosts type says so."""
    async with running(server, screen_url="https://live.example.com") as stage:
        body = {"token": stage.token()}
        async with stage.browser.post(f"{stage.url}/v1/login", json=body) as reply:
            assert "Secure" in reply.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"token": "wrong"}', "application/json", 401),
        (b'{"token": 5}', "application/json", 400),
        (b"not json", "application/json", 400),
        (b'{"token": "%s"}' % (b"x" * 5_000), "application/json", 400),
        (b"token=wrong", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_signing_in_with_something_else_fails(
    stage: Stage, body: bytes, kind: str, status: int
) -> None:
    """And sets no cookie; a form of another site cannot even be read."""
    sent = {"Content-Type": kind}
    async with stage.browser.post(f"{stage.url}/v1/login", data=body, headers=sent) as reply:
        assert reply.status == status
        assert "Set-Cookie" not in reply.headers


async def test_signing_out_takes_the_cookie_away(stage: Stage) -> None:
    """Its life ends at once."""
    sent = {"Authorization": f"Bearer {stage.token()}"}
    async with stage.browser.post(f"{stage.url}/v1/logout", headers=sent) as reply:
        assert reply.status == 204
        assert "Max-Age=0" in reply.headers["Set-Cookie"]


async def test_too_many_requests_are_put_off(stage: Stage) -> None:
    """429 with the time to wait; another token is not held up, and each address guesses slowly."""
    guard, token = stage.screen._access, stage.token("s1")
    guard._requests, guard._failed = (Limiter(per_s=0.01, burst=2) for _ in range(2))
    replies = [await stage.get("/v1/me", token) for _ in range(3)]
    assert [one.status for one in replies] == [200, 200, 429]
    assert 90 <= int(replies[-1].headers["Retry-After"]) <= 100
    assert (await stage.get("/v1/me", stage.token("s2"))).status == 200
    assert [await sign_in(stage, "x") for _ in range(3)] == [401, 401, 429]


async def test_who_has_a_token_gets_in_whoever_fails(stage: Stage) -> None:
    """Behind a proxy all come from one address: junk from there locks nobody out."""
    stage.screen._access._failed = Limiter(per_s=0.01, burst=2)
    tokens = ["x", "x", "x", *(stage.token("s1") for _ in range(4)), "x"]
    statuses = [await sign_in(stage, token) for token in tokens]
    assert statuses == [401, 401, 429, 200, 200, 200, 200, 429]


async def sign_in(stage: Stage, token: str) -> int:
    """Return the status of the answer."""
    async with stage.browser.post(f"{stage.url}/v1/login", json={"token": token}) as reply:
        return reply.status


async def test_a_wrong_method_or_path_is_json_too(stage: Stage) -> None:
    """With the methods that are allowed."""
    async with stage.browser.delete(
        f"{stage.url}/v1/sessions", headers={"Authorization": f"Bearer {stage.token()}"}
    ) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "GET,HEAD")
        assert (await reply.json()).keys() == {"error"}


async def test_a_session_that_nobody_has_entered_is_there(server: RedisServer) -> None:
    """Announced and empty: zeros, not an error."""
    world = World()
    world.says(ev.SessionStarted, 0, session_id="soon", title="Soon", currency="CNY")
    async with running(server, redis_prefix="empty") as stage:
        await write(stage.settings, world)
        shown = msgspec.json.decode((await stage.get("/v1/sessions/soon")).body, type=Snapshot)
    assert (shown.session.title, shown.session.viewers, shown.now.viewers) == ("Soon", 0, 0)


async def test_the_report_has_all_marks_of_a_session_that_is_over(server: RedisServer) -> None:
    """Also those of before its last hour; a page of a live one shows an hour."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    pinned, sent = Marked("s1", T0 + 5_000, "pin", "p1"), Sent("s1", "coupon", "t1", T0 + 65_000)
    async with running(server, redis_prefix="over") as stage:
        async with writing(stage.settings) as views:
            views.tell(notes=[pinned, sent])
        world.says(ev.Heartbeat, 7_200)
        await write(stage.settings, world)
        live = (await stage.get("/v1/sessions/s1")).json()["markers"]
        world.says(ev.SessionEnded, 7_201)
        await write(stage.settings, world)
    async with running(server, redis_prefix="over") as stage:
        over = (await stage.get("/v1/sessions/s1")).json()["markers"]
    assert live == []
    assert [(one["at"], one["kind"]) for one in over] == [
        (T0 + 5_000, "pin"), (T0 + 60_000, "trigger"),
    ]  # fmt: skip


async def test_without_redis_there_is_503_and_then_all_is_well(world: World) -> None:
    """Killed and restarted under the screen."""
    with running_redis() as mortal:
        async with running(mortal) as stage:
            await write(stage.settings, world)
            session_id = next(iter(world.state.sessions))
            mortal.kill()
            for path in ("/v1/sessions", f"/v1/sessions/{session_id}"):
                reply = await stage.get(path)
                assert (reply.status, reply.json().keys()) == (503, {"error"})
            mortal.start()
            await write(stage.settings, world)
            assert (await stage.get(f"/v1/sessions/{session_id}")).status == 200


async def test_all_operators_hear_of_the_loss_of_redis(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks right after another does not get the list from before it."""
    with running_redis() as mortal:
        async with running(mortal) as stage:
            await write(stage.settings, world)
            assert (await stage.get("/v1/sessions")).status == 200
            mortal.kill()
            for list_every_s in (0.0, 60.0):  # one has to ask anew, the next has just been told
                monkeypatch.setattr(api, "LIST_EVERY_S", list_every_s)
                assert (await stage.get("/v1/sessions")).status == 503


# --- files -------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def files(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """Run a screen with pages of the test's own."""
    page, vendor = tmp_path / "page", tmp_path / "vendor"
    (page / "js").mkdir(parents=True)
    vendor.mkdir()
    for name in ("index", "session", "report", "login"):
        (page / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (page / "js/app.js").write_text("export const a = 1;\n" * 50)
    (vendor / "chart.js").write_text("/* chart */")
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(pages.Pages.__init__, "__defaults__", (page, vendor))
    async with running(server) as started:
        yield started


def title(body: bytes) -> str:
    """Return the title of a page."""
    found = re.search(rb"<title>(.*)</title>", body)
    return found[1].decode() if found else ""


async def test_pages_are_for_who_is_signed_in(files: Stage) -> None:
    """Others get the page that helps with that, as 401."""
    for path, name in (("/", "index"), ("/s/s1", "session"), ("/s/s1/report", "report")):
        assert title((await files.get(path)).body) == name
        reply = await files.get(path, "")
        assert (reply.status, title(reply.body)) == (401, "login")
    assert title((await files.get("/login", "")).body) == "login"


async def test_files_are_compressed_and_not_sent_twice(files: Stage) -> None:
    """With a type, an ETag that changes with the file, and no token."""
    reply = await files.get("/static/js/app.js", "", Accept_Encoding="gzip")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.headers["Content-Type"].startswith("text/javascript")
    tag = reply.headers["ETag"]
    assert (await files.get("/static/js/app.js", "", If_None_Match=tag)).status == 304
    assert (await files.get("/static/vendor/chart.js", "")).body == b"/* chart */"


def test_missing_files_are_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source checkout has no chart library until it is fetched."""
    monkeypatch.setattr(pages, "VENDOR", tmp_path)
    assert "make screen-assets" in (pages.missing() or "")
    (tmp_path / "uPlot.iife.min.js").touch()
    assert pages.missing() is None


async def test_a_changed_file_is_read_again(files: Stage, tmp_path: Path) -> None:
    """Whoever works on the page reloads and sees it."""
    before = await files.get("/static/js/app.js", "")
    (tmp_path / "page/js/app.js").write_text("export const a = 2;")
    after = await files.get("/static/js/app.js", "", If_None_Match=before.headers["ETag"])
    assert (after.status, after.body) == (200, b"export const a = 2;")


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "js/../../secret.txt", "..%2Fsecret.txt", "vendor/../../secret.txt", "js",
     "%2Fetc%2Fpasswd", ".hidden", "nothing.js"],
)  # fmt: skip
async def test_nothing_else_is_served(files: Stage, path: str) -> None:
    """No path leads out of the two folders."""
    from yarl import URL  # noqa: PLC0415 - only here; it keeps the path as it is

    async with files.browser.get(URL(f"{files.url}/static/{path}", encoded=True)) as reply:
        assert reply.status == 404
        assert b"secret" not in await reply.read()


def test_our_own_files_are_where_they_are_looked_for() -> None:
    """The folders that are served by default lie beside the code."""
    assert pages.OURS.is_dir()


async def scraped(stage: Stage) -> str:
    """Return what Prometheus is told."""
    async with (
        TestServer(stage.screen.probes()) as probes,
        stage.browser.get(probes.make_url("/metrics")) as reply,
    ):
        return await reply.text()


async def test_probes_and_metrics_are_apart(stage: Stage) -> None:
    """Hosts do not see the numbers of the process; probes have a port of their own."""
    assert (await stage.get("/metrics", "")).status == 404
    assert (await stage.get("/healthz", "")).body == b"ok"
    async with TestServer(stage.screen.probes()) as probes:
        for path in ("/healthz", "/startupz", "/readyz"):
            async with stage.browser.get(probes.make_url(path)) as reply:
                assert reply.status == 200
    text = await scraped(stage)
    assert "livepulse_screen_clients 0.0" in text
    assert 'livepulse_redis_errors_total{call="views"}' in text


async def test_the_metrics_are_those_of_the_contract(stage: Stage) -> None:
    """Each with its type and help, no other, and what Prometheus' client knows of a process."""
    families = {one.name: one for one in text_string_to_metric_families(await scraped(stage))}
    told = {name: (one.type, one.documentation) for name, one in families.items()}
    assert {name: one for name, one in told.items() if name.startswith("livepulse_")} == {
        name.removesuffix("_total"): (one.type, one.help)
        for name, one in documented("screen").items()
    }
    assert "process_start_time_seconds" in told
    assert families["livepulse_build_info"].samples[0].labels["role"] == "screen"


@pytest.mark.parametrize("name", ["livepulse_redis_up", "livepulse_event_loop_lag_seconds_count"])
async def test_a_screen_that_nobody_watches_watches_itself(stage: Stage, name: str) -> None:
    """It asks Redis, and times its event loop: an alert must not depend on hosts who look."""
    async with asyncio.timeout(5):
        while f"{name} 0.0" in await scraped(stage):
            pass


async def test_a_screen_without_redis_lives_but_is_not_ready() -> None:
    """Restarting it would help nobody."""
    with running_redis() as mortal:
        async with running(mortal) as stage:
            mortal.kill()
            async with TestServer(stage.screen.probes()) as probes:
                for path, status in (("/healthz", 200), ("/readyz", 503)):
                    async with stage.browser.get(probes.make_url(path)) as reply:
                        assert reply.status == status
