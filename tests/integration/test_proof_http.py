"""Proofs over HTTP: of what the caller may read whole, once it is signed."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.checkpointer import Checkpointer
from infra.audit.keyring import KeyRing
from tests.integration.conftest import Servers
from tests.integration.governing import an_experiment, governed
from tests.integration.people import a_person, code_of, done
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def sign_all(platform: Platform, folder: Path) -> None:
    """As whoever takes over after the key was lost: other tests have signed this record too."""
    client, url = platform.services.nats, platform.settings.nats_url
    with closing(Checkpointer(client, url, KeyRing(folder))) as checkpointer:
        assert await checkpointer.rotate(lost=True)
        while await checkpointer.step(now=True):
            pass


async def test_an_event_is_proven_to_whoever_may_read_it_whole(
    platform: Platform, tmp_path: Path
) -> None:
    owner, eve = await a_person(platform), await a_person(platform)
    experiment = await an_experiment(platform)
    shown = (await platform.http.get("/v1/events", params={"entity": experiment})).json()["items"]
    (position,) = [event["position"] for event in shown]
    path = f"/events/{position}/proof"
    mine = await platform.http.get("/v1/events", params={"entity": owner.id})
    about_owner = f"/events/{mine.json()['items'][0]['position']}/proof"

    assert code_of(await platform.http.get(f"/v1{path}"), 409) == "unsigned"
    await sign_all(platform, tmp_path)
    proof = done(await platform.http.get(f"/v1{path}"))
    assert (proof["format"], proof["position"]) == ("hansard-proof/1", position)
    assert SignedCheckpoint.parse(proof["checkpoint"]).said.size == proof["size"] >= position
    done(await owner.call("GET", about_owner))
    assert code_of(await eve.call("GET", about_owner), 403) == "masked"
    assert code_of(await eve.call("GET", path), 404) == "not-found"
    assert code_of(await eve.call("GET", "/events/123456789/proof"), 404) == "not-found"
    for bad in ("0", "-1", "x", str(10**30)):
        assert code_of(await eve.call("GET", f"/events/{bad}/proof"), 422) == "invalid"
    answer = await platform.http.get(f"/v1{path}", headers={"Authorization": "Bearer no"})
    assert code_of(answer, 401) == "unauthenticated"
