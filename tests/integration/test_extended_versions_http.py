"""Versions that extend others, through HTTP: resolved, governed, readable, and bounded."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hansard.formats import archive
from hansard.formats.ids import new_id
from hansard.formats.layers import MAX_LAYERS
from hansard.formats.manifest import MANIFEST_NAME, Manifest
from tests.integration.conftest import Servers
from tests.integration.people import a_person, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import (
    Pushed,
    a_bundle,
    a_name,
    kept_files,
    problem_of,
    unchanged_after,
    uploaded,
)

HELPER = b"WIDTH = 16\n"
WIDER = (
    b"class Net:\n    def __init__(self, depth: int = 2): ...\n    def save(self, folder): ...\n"
)


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def pushed(platform: Platform) -> Pushed:
    found = Pushed(platform)
    await found.everything()
    return found


async def base_of(pushed: Pushed, version: str) -> dict[str, str]:
    last = await pushed.platform.services.log.last()
    assert last is not None
    params = {"min_position": last.position}
    found = (await pushed.http.get(f"/v1/versions/{version}", params=params)).json()
    return {"version": version, "bundle": found["source"]["bundle"]}


def an_extension(base: dict[str, str], **files: bytes) -> bytes:
    manifest = Manifest("model", "m:Net", "n", base=base)
    named = {f"{name}.py": data for name, data in files.items()}
    return archive.encode({MANIFEST_NAME: manifest.to_bytes(), **named})


async def published(pushed: Pushed, bundle: bytes, kind: str = "net") -> dict[str, Any]:
    response = await pushed.push(kind, "models", bundle)
    assert response.status_code == 201, response.text
    params = {"min_position": response.json()["position"]}
    answer = await pushed.http.get(f"/v1/versions/{response.json()['id']}", params=params)
    found: dict[str, Any] = answer.json()
    return found


async def test_an_extension_has_the_signature_of_the_merged_files_and_its_base_as_parent(
    pushed: Pushed,
) -> None:
    base = await base_of(pushed, pushed.ids["net version"])
    helped = await published(pushed, an_extension(base, helper=HELPER))
    assert helped["source"]["layers"] == [base["bundle"]]
    assert helped["source"]["base"] == base["version"]
    assert "width" in helped["source"]["signature"]["parameters"]["properties"]
    assert helped["parents"] == [base["version"]]
    upper = await base_of(pushed, helped["id"])
    wider = await published(pushed, an_extension(upper, m=WIDER))
    assert wider["source"]["layers"] == [base["bundle"], upper["bundle"]]
    assert list(wider["source"]["signature"]["parameters"]["properties"]) == ["depth"]
    lineage = (await pushed.http.get(f"/v1/lineage/version/{wider['id']}")).json()
    assert base["version"] in {node["id"] for node in lineage["nodes"]}


async def test_the_code_of_a_deleted_base_stays_for_what_extends_it(pushed: Pushed) -> None:
    base = await base_of(pushed, pushed.ids["net version"])
    extension = await published(pushed, an_extension(base, helper=HELPER))
    address = f"/v1/versions/{base['version']}"
    deleted = await pushed.http.request("DELETE", address, json={"reason": "old"})
    assert deleted.status_code == 200, deleted.text
    assert (await pushed.http.get(f"/v1/files/{base['bundle']}")).content == a_bundle()
    slots = {"model": {"version": extension["id"]}}
    assert (await pushed.run(slots=slots)).status_code == 202
    again = await pushed.http.post("/v1/bundles", content=an_extension(base, other=HELPER))
    problem_of(again, 409, "version-deleted")


async def test_a_base_that_is_not_what_it_is_said_to_be_is_refused_and_nothing_kept(
    pushed: Pushed,
) -> None:
    platform = pushed.platform
    base = await base_of(pushed, pushed.ids["net version"])
    wrong = [
        ({**base, "bundle": "0" * 64}, 422, "invalid"),
        ({**base, "version": new_id("version")}, 404, "not-found"),
    ]
    for odd, status, code in wrong:
        bundle = an_extension(odd, helper=HELPER)
        ask = lambda bundle=bundle: platform.http.post("/v1/bundles", content=bundle)  # noqa: E731
        await unchanged_after(platform, ask, status, code)
    hidden = an_extension(base, m=b"x = 1\n")
    refused = await pushed.http.post("/v1/bundles", content=hidden)
    body = problem_of(refused, 422, "invalid-bundle")
    assert body["reason"] == "missing_entry"


async def test_only_what_one_may_use_can_be_extended(pushed: Pushed) -> None:
    base = await base_of(pushed, pushed.ids["net version"])
    bundle = an_extension(base, helper=HELPER)
    other = await a_person(pushed.platform)
    before = kept_files(pushed.platform)
    problem_of(await other.call("POST", "/bundles", content=bundle), 404, "not-found")
    assert kept_files(pushed.platform) == before


async def test_versions_extend_each_other_only_so_far(pushed: Pushed) -> None:
    made = (await pushed.http.post("/v1/models", json={"name": a_name()})).json()
    base = await base_of(pushed, pushed.ids["net version"])
    for number in range(MAX_LAYERS):
        kept = await pushed.http.post(
            "/v1/bundles", content=an_extension(base, helper=b"#%d" % number)
        )
        body = uploaded(kept)
        answer = await pushed.http.post(f"/v1/models/{made['id']}/versions", json=body)
        done(answer)
        base = {"version": answer.json()["id"], "bundle": body["bundle"]}
    last = await pushed.http.post("/v1/bundles", content=an_extension(base, helper=b"#last"))
    assert "extend" in problem_of(last, 422, "invalid")["detail"]
