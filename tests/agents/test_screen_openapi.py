"""The description of the API: it is what the code makes, and the running server keeps to it."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    unsupported_method,
)

from agents.screen.limits import Limiter
from agents.screen.openapi import FILE, document
from tests.agents.screen_stage import Stage, running, settings_of, write
from tests.redis_server import running as running_redis
from tests.streams.world import World, simulated


def test_the_file_is_what_the_code_makes() -> None:
    """After a change: python -m agents.screen.openapi > agents/screen/openapi.json."""
    assert FILE.read_bytes() == document()


def test_every_route_is_described() -> None:
    """And nothing else is."""

    async def served() -> set[tuple[str, str]]:
        with running_redis() as server:
            async with running(server) as stage:
                return {
                    (route.resource.canonical, route.method.lower())
                    for route in stage.screen.app().router.routes()
                    if route.resource and route.resource.canonical.startswith("/v1/")
                }

    described = {
        (path, method)
        for path, methods in msgspec.json.decode(document())["paths"].items()
        for method in methods
    }
    assert {one for one in asyncio.run(served()) if one[1] != "head"} == described


HEALTH = list(HealthCheck)


class Served:
    """A screen in a thread of its own, with a world in its Redis."""

    def __init__(self) -> None:
        self.world = World().run(simulated(events=2_500, sessions=1, ends=False))
        self.session_id = next(iter(self.world.state.sessions))
        self.stage: Stage | None = None
        self.ready, self.done = Event(), Event()

    def run(self) -> None:
        """Serve until ``done``."""
        with running_redis() as server, settings_of(server) as chosen:
            asyncio.run(self._serve(server, chosen))

    async def _serve(self, server: Any, chosen: Any) -> None:
        await write(chosen, self.world)
        async with running(server) as stage:
            access = stage.screen._access
            access._requests = access._failed = Limiter(per_s=1e6, burst=10**6)
            self.stage = stage
            self.ready.set()
            while not self.done.is_set():  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Run a screen beside the tests of this module."""
    found = Served()
    with ThreadPoolExecutor(1) as pool:
        running_screen = pool.submit(found.run)
        try:
            while not found.ready.wait(0.1):
                assert not running_screen.done(), running_screen.result()
            yield found
        finally:
            found.done.set()


SCHEMA = schemathesis.openapi.from_dict(msgspec.json.decode(document()))
#: What has an end: not the event stream.
OPERATIONS = {
    found.ok().label: found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok) and not found.ok().path.endswith("/events")
}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_the_server_keeps_to_its_description(
    served: Served, label: str, mode: GenerationMode
) -> None:
    """Whatever is asked, right or wrong: status, headers and body are as described."""
    stage = served.stage
    assert stage is not None
    operation = OPERATIONS[label]

    @settings(max_examples=5, deadline=None, database=None, suppress_health_check=HEALTH)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        token = stage.token(served.session_id)
        case.call_and_validate(
            base_url=stage.url,
            headers={"Authorization": f"Bearer {token}"},
            session=session,
            excluded_checks=[unsupported_method, ignored_auth],
        )
        if "id" in (case.path_parameters or {}):  # and of a session that is there
            case.path_parameters["id"] = served.session_id
            case.call_and_validate(
                base_url=stage.url, headers={"Authorization": f"Bearer {token}"}, session=session,
                excluded_checks=[unsupported_method, ignored_auth, negative_data_rejection],
            )  # fmt: skip

    with requests.Session() as session:
        ask()
