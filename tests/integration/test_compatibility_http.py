"""What fits, through HTTP: both directions, by verdict, by page, and only what one may see."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Servers
from tests.integration.governing import governed
from tests.integration.people import a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import Pushed, a_bundle

JOB = """
from typing import Protocol
from hansard import All, Executor, Predictor, Slot, Slots
class Shrinks(Protocol):
    def shrink(self, share: float) -> int: ...
class Job(Executor):
    small: Slot[Shrinks]
    both: Slot[All[Shrinks, Predictor]] | None
    def execute(self, epochs: int = 3): ...
"""
NETS = {
    "exact": "def shrink(self, share: float) -> int: ...",
    "asks": "def shrink(self, share: float, by: int, how: str = 'l1') -> int: ...",
    "loose": "def shrink(self, share) -> int: ...",
    "other": "def shrink(self, share: str) -> int: ...",
    "none": "def save(self, folder): ...",
}


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


class Parts:
    """An executor of a role of its own, and a model for each verdict."""

    def __init__(self, platform: Platform) -> None:
        self.pushed = Pushed(platform)
        self.http = platform.http
        self.position = 0
        self.versions: dict[str, str] = {}

    async def push(self, kind: str, path: str, bundle: bytes) -> dict[str, Any]:
        body = done(await self.pushed.push(kind, path, bundle))
        self.position = body["position"]
        self.versions[kind] = body["id"]
        return body

    async def everything(self) -> None:
        for name, method in NETS.items():
            source = f"class Net:\n    {method}\n".encode()
            await self.push(name, "models", a_bundle(source=source))
        await self.push("job", "executors", a_bundle("executor", "m:Job", JOB.encode()))

    async def candidates(self, slot: str = "small", **params: Any) -> dict[str, Any]:
        path = f"/v1/executors/{self.pushed.ids['job']}/slots/{slot}/candidates"
        return done(await self.http.get(path, params=self._params(params)))

    async def executors(self, name: str, **params: Any) -> list[dict[str, Any]]:
        path = f"/v1/models/{self.pushed.ids[name]}/executors"
        answer = done(await self.http.get(path, params=self._params(params)))
        return [item for item in answer["items"] if item["id"] == self.versions["job"]]

    def _params(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"limit": 500, "min_position": self.position, **params}

    def of(self, page: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The items of a page by the names above; others' are left out."""
        names = {id_: name for name, id_ in self.versions.items()}
        return {names[i["id"]]: i for i in page["items"] if i["id"] in names}


@pytest.fixture
async def parts(platform: Platform) -> Parts:
    found = Parts(platform)
    await found.everything()
    return found


async def test_what_can_fill_a_slot_is_listed_with_verdict_reasons_and_forms(parts: Parts) -> None:
    found = parts.of(await parts.candidates())
    assert {name: item["verdict"] for name, item in found.items()} == {
        "exact": "fits",
        "asks": "fits",
        "loose": "unchecked",
    }
    assert found["loose"]["reasons"] == ["`share` of `shrink` has no type"]
    assert found["exact"]["fields"] == {}
    assert found["asks"]["fields"]["shrink"]["required"] == ["by"]
    assert found["asks"]["fields"]["shrink"]["properties"] == {
        "by": {"type": "integer"},
        "how": {"type": "string", "default": "l1"},
    }
    assert found["exact"]["name"]
    refused = parts.of(await parts.candidates(verdict="refused"))
    assert refused.keys() == {"other", "none", "job"}
    assert "takes str" in refused["other"]["reasons"][0]
    assert parts.of(await parts.candidates(slot="both")) == {}


async def test_the_other_way_round_executors_are_listed_with_the_slots(parts: Parts) -> None:
    (job,) = await parts.executors("exact")
    assert job["slots"].keys() == {"small"}
    slot = job["slots"]["small"]
    assert (slot["verdict"], slot["roles"], slot["many"]) == ("fits", ["Shrinks"], False)
    assert await parts.executors("none") == []
    (job,) = await parts.executors("none", verdict="refused")
    assert job["slots"].keys() == {"small", "both"}


async def test_pages_are_filtered_sorted_counted_and_followed_by_cursor(parts: Parts) -> None:
    whole = [item["id"] for item in (await parts.candidates(sort="created_at"))["items"]]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await parts.candidates(sort="created_at", limit=2, **cursor)
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == whole
    chosen = await parts.candidates(filter=f"id == '{parts.versions['asks']}'", count=True)
    assert parts.of(chosen).keys() == {"asks"}
    assert chosen["total"] == 1
    path = f"/v1/executors/{parts.pushed.ids['job']}/slots/both/candidates"
    other = await parts.http.get(path, params={"sort": "created_at", **cursor})
    assert code_of(other, 422) == "invalid-cursor"


async def test_an_archived_version_and_one_without_code_are_no_candidates(parts: Parts) -> None:
    answer = done(await parts.http.post(f"/v1/versions/{parts.versions['exact']}/archive"))
    parts.position = answer["position"]
    assert "exact" not in parts.of(await parts.candidates())
    assert "exact" in parts.of(await parts.candidates(archived=True))


async def test_versions_by_number_and_their_difference(parts: Parts) -> None:
    source = b"class Net:\n    def shrink(self, share: float, by: str) -> int: ...\n"
    bundle = (await parts.http.post("/v1/bundles", content=a_bundle(source=source))).json()
    path = f"/v1/models/{parts.pushed.ids['asks']}"
    body = {"bundle": bundle["digest"], "receipt": bundle["receipt"]}
    published = done(await parts.http.post(f"{path}/versions", json=body))
    parts.position = published["position"]
    assert published["step"]["step"] == "major"
    params = {"min_position": parts.position}
    found = done(await parts.http.get(f"{path}/difference", params=params))
    assert (found["step"], found["old"], found["new"]) == ("major", 1, 2)
    assert any("takes str" in reason for reason in found["reasons"])
    same = done(await parts.http.get(f"{path}/difference", params={**params, "old": 2}))
    assert same["step"] == "patch"
    assert code_of(await parts.http.get(f"{path}/difference", params={"old": 9}), 404)
    assert await parts.executors("asks", number=1)


async def test_what_is_not_there_is_not_found_and_bad_input_named(parts: Parts) -> None:
    job, net = parts.pushed.ids["job"], parts.pushed.ids["exact"]
    for path, status in (
        (f"/v1/executors/{job}/slots/none/candidates", 404),
        (f"/v1/executors/{net}/slots/small/candidates", 404),
        (f"/v1/executors/{job}/slots/small/candidates?number=9", 404),
        (f"/v1/executors/{job}/slots/small/candidates?number=0", 422),
        (f"/v1/executors/{job}/slots/small/candidates?verdict=maybe", 422),
        (f"/v1/executors/{job}/slots/small/candidates?unknown=1", 422),
        (f"/v1/executors/{job}/slots/small/candidates?filter=(", 422),
        (f"/v1/models/{job}/executors", 404),
        (f"/v1/models/{net}/executors?limit=0", 422),
        (f"/v1/models/{net}/difference", 404),
    ):
        address = f"{path}{'&' if '?' in path else '?'}min_position={parts.position}"
        assert (await parts.http.get(address)).status_code == status, path


async def test_nobody_is_shown_what_they_may_not_see(parts: Parts, platform: Platform) -> None:
    stranger = await a_person(platform)
    job = parts.pushed.ids["job"]
    path = f"/executors/{job}/slots/small/candidates?limit=500&min_position={parts.position}"
    assert code_of(await stranger.call("GET", path), 404) == "not-found"
    shared, position = {"visibility": "public"}, 0
    for kind, name in (("executors", "job"), ("models", "loose")):
        address = f"/v1/{kind}/{parts.pushed.ids[name]}/sharing"
        position = done(await parts.http.put(address, json=shared))["position"]
    path = f"/executors/{job}/slots/small/candidates?limit=500&min_position={position}"
    page = done(await stranger.call("GET", path))
    assert parts.of(page).keys() == {"loose"}
