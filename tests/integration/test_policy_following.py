"""Two processes on one record: what one puts in force, the other decides by."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.main import create_app
from api.services import open_services
from infra.event_log.log import EventLog
from projections.access.changes import Changes
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, an_experiment, governed, in_force, post
from tests.integration.people import Person, a_person, done
from tests.integration.platform import Platform

DEADLINE_S = 10


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


@asynccontextmanager
async def another(platform: Platform) -> AsyncIterator[Platform]:
    """Another API on the same servers."""
    async with open_services(platform.settings) as services:
        transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://other.test") as http:
            yield Platform(http, services, platform.settings, platform.token)


async def decided(by: Platform, who: Person, entity: str) -> tuple[int, str]:
    """Whether it may be read, and by which policies that was decided."""
    headers = {"Authorization": f"Bearer {who.token}"}
    answer = await by.http.get(f"/v1/experiments/{entity}", headers=headers)
    return answer.status_code, answer.headers["Hansard-Policies"]


async def test_what_one_process_activates_another_decides_by(platform: Platform) -> None:
    entity, eve = await an_experiment(platform, visibility="public"), await a_person(platform)
    async with another(platform) as other:
        before = await decided(other, eve, entity)
        assert before == (200, (await platform.services.policies.current()).digest)
        name = await in_force(platform, a_text(a_name(), f"r.obj.id == '{entity}'"))
        deadline = time.monotonic() + DEADLINE_S
        while await decided(other, eve, entity) == before and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        after = (await platform.services.policies.current()).digest
        assert await decided(other, eve, entity) == (404, after)
        done(await post(platform, f"{name}/retire", reason="x"))


async def test_where_changes_are_not_read_decisions_ask_the_record(platform: Platform) -> None:
    entity, eve = await an_experiment(platform, visibility="public"), await a_person(platform)
    async with another(platform) as other:
        assert (await decided(other, eve, entity))[0] == 200
        await other.services.changes.close()
        assert not other.services.changes.trusted
        name = await in_force(platform, a_text(a_name(), f"r.obj.id == '{entity}'"))
        after = (await platform.services.policies.current()).digest
        assert await decided(other, eve, entity) == (404, after)
        done(await post(platform, f"{name}/retire", reason="x"))
        assert (await decided(other, eve, entity))[0] == 200


async def test_every_decision_after_an_activation_is_made_by_it(platform: Platform) -> None:
    entity, eve = await an_experiment(platform, visibility="public"), await a_person(platform)
    name = await in_force(platform, a_text(a_name(), f"r.obj.id == '{entity}'"))
    answers = await asyncio.gather(*(decided(platform, eve, entity) for _ in range(8)))
    assert {status for status, _ in answers} == {404}
    done(await post(platform, f"{name}/retire", reason="x"))
    answers = await asyncio.gather(*(decided(platform, eve, entity) for _ in range(8)))
    assert {status for status, _ in answers} == {200}


async def test_a_listener_that_fails_does_not_end_the_reading(platform: Platform) -> None:
    changes = Changes(EventLog(platform.services.nats))
    heard: list[frozenset[str]] = []

    def fail_once(ids: frozenset[str]) -> None:
        heard.append(ids)
        if len(heard) == 1:
            raise ValueError("for a test")

    changes.listen(fail_once)
    changes.start()
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not changes.trusted and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        eve = await a_person(platform)
        while not any(eve.id in ids for ids in heard[1:]) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert any(eve.id in ids for ids in heard[1:])
        while not changes.trusted and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert changes.trusted
    finally:
        await changes.close()
