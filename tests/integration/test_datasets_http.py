"""Datasets through HTTP: registered, shared, published, held against expectations, used by runs."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from domain.version import Version
from hansard.formats.ids import new_id
from infra.event_store import Session
from tests.integration.artifacts import (
    an_artifact,
    nothing_stored,
    published,
    read,
    registered,
    topics_after,
)
from tests.integration.conftest import Servers
from tests.integration.governing import latest
from tests.integration.lab import CONTEXT
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import Pushed

BLOCKING = "on_failure: block\ncolumns:\n  id: {type: integer}\n"
WARNING = "on_failure: warn\ncolumns:\n  id: {type: integer}\n"


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


async def checked(platform: Platform, version: str, text: str, *, passed: bool) -> None:
    """Recorded, as whoever held the version against a text would."""

    async def command(session: Session) -> int:
        found = await session.load(Version, version)
        found.record_check(
            sha256(text.encode()).hexdigest(),
            passed=passed,
            blocking="block" in text,
            results=[],
            examples={},
        )
        return await session.save(found)

    await platform.services.store.run(CONTEXT, command)


async def test_a_dataset_is_a_registry_like_the_others(platform: Platform, bob: Person) -> None:
    dataset = await registered(bob, "datasets")
    eve = await a_person(platform)
    path = f"/datasets/{dataset}"
    assert code_of(await eve.call("GET", path), 404) == "not-found"
    done(await bob.call("PUT", f"{path}/sharing", {"visibility": "public"}))
    assert (await read(platform, eve, path))["kind"] == "dataset"
    assert code_of(await eve.call("PATCH", path, {"name": "x"}), 403) == "forbidden"
    done(await bob.call("PATCH", path, {"tags": {"a": "b"}}))
    done(await bob.call("POST", f"{path}/archive"))
    listed = await read(platform, bob, "/datasets", filter=f"id == '{dataset}'")
    assert listed["items"] == []
    body = {"artifact": new_id("artifact")}
    assert (await bob.call("POST", f"{path}/versions", body)).status_code == 404
    assert code_of(await bob.call("PUT", f"/models/{dataset}/sharing", {}), 404) == "not-found"


async def test_a_version_of_a_dataset_says_where_it_comes_from(
    platform: Platform, bob: Person
) -> None:
    dataset = await registered(bob, "datasets")
    told = {
        "mode": "reference",
        "reproducible": False,
        "form": "files",
        "origin_source": {"kind": "https", "address": "https://example.org/a.csv"},
    }
    made = await published(bob, "datasets", dataset, **told)
    row = await read(platform, bob, f"/versions/{made['id']}")
    assert {name: row[name] for name in told} == told
    listed = await read(platform, bob, f"/datasets/{dataset}/versions", number=1)
    assert [item["id"] for item in listed["items"]] == [made["id"]]


async def test_a_dataset_has_bytes_and_no_code(platform: Platform, bob: Person) -> None:
    dataset = await registered(bob, "datasets")
    artifact = await an_artifact(bob, dataset)
    path = f"/datasets/{dataset}/versions"
    for body in ({}, {"bundle": "0" * 64}, {"artifact": artifact, "bundle": "0" * 64}):
        assert await nothing_stored(platform, bob.call("POST", path, body), 422), body


async def test_a_model_names_the_data_that_it_was_made_with(
    platform: Platform, bob: Person
) -> None:
    dataset, model = await registered(bob, "datasets"), await registered(bob, "models")
    data = (await published(bob, "datasets", dataset))["id"]
    made = await published(bob, "models", model, data=[data])
    assert (await read(platform, bob, f"/versions/{made['id']}"))["data"] == [data]


async def test_expectations_are_read_before_they_are_recorded(
    platform: Platform, bob: Person
) -> None:
    dataset = await registered(bob, "datasets", visibility="public")
    path = f"/datasets/{dataset}/expectations"
    before = (await latest(platform))["min_position"]
    for _ in range(2):
        done(await bob.call("PUT", path, {"text": BLOCKING}))
    assert await topics_after(platform, before) == ["abstraction.expected.v1"]
    assert (await read(platform, bob, f"/datasets/{dataset}"))["expectations"] == BLOCKING
    for body in (
        {},
        {"text": "on_failure: explode\n"},
        {"text": "columns: ["},
        {"text": "a: &a [*a]"},
        {"text": "x" * 70_000},
        {"text": "rows: {min: 5, max: 1}"},
        {"text": 5},
        {"text": None, "more": 1},
    ):
        assert await nothing_stored(platform, bob.call("PUT", path, body), 422), body
    eve = await a_person(platform)
    request = eve.call("PUT", path, {"text": None})
    assert await nothing_stored(platform, request, 403) == "forbidden"
    model = await registered(bob, "models")
    for other in (model, new_id("dataset")):
        request = bob.call("PUT", f"/datasets/{other}/expectations", {"text": None})
        assert await nothing_stored(platform, request, 404) == "not-found"
    done(await bob.call("PUT", path, {"text": None}))
    assert (await read(platform, bob, f"/datasets/{dataset}"))["expectations"] is None


class Lake:
    """A dataset of the first administrator beside an executor and a model."""

    def __init__(self, platform: Platform, pushed: Pushed) -> None:
        self.platform = platform
        self.pushed = pushed
        self.admin = Person(platform, "", platform.token)
        self.dataset = ""
        self.versions: list[str] = []

    async def publish(self) -> str:
        self.versions.append((await published(self.admin, "datasets", self.dataset))["id"])
        return self.versions[-1]

    async def expect(self, text: str | None) -> None:
        path = f"/datasets/{self.dataset}/expectations"
        done(await self.admin.call("PUT", path, {"text": text}))

    async def refusal(self, status: int = 409, **datasets: Any) -> str:
        request = self.pushed.run(datasets=datasets)
        return await nothing_stored(self.platform, request, status)

    async def used(self, **datasets: str) -> dict[str, str]:
        """The exact versions that a run of these would read."""
        id_ = done(await self.pushed.run(datasets=datasets))["id"]
        found: dict[str, str] = (await read(self.platform, self.admin, f"/runs/{id_}"))["datasets"]
        return found


@pytest.fixture
async def lake(platform: Platform) -> Lake:
    pushed = Pushed(platform)
    await pushed.everything()
    found = Lake(platform, pushed)
    found.dataset = await registered(found.admin, "datasets")
    await found.publish()
    return found


async def test_a_run_reads_exact_versions_of_datasets(lake: Lake) -> None:
    first, second = lake.versions[0], await lake.publish()
    asked = {"train": lake.dataset, "test": first}
    assert await lake.used(**asked) == {"train": second, "test": first}
    done(await lake.admin.call("DELETE", f"/versions/{second}", {"reason": "tidy"}))
    assert await lake.refusal(train=second) == "version-deleted"
    assert await lake.used(train=lake.dataset) == {"train": first}


async def test_datasets_of_a_run_that_make_no_sense_are_refused(lake: Lake, bob: Person) -> None:
    hidden = await registered(bob, "datasets")
    await published(bob, "datasets", hidden)
    eve = await a_person(lake.platform)
    body = lake.pushed.body(datasets={"train": lake.dataset})
    request = eve.call("POST", "/runs", body)
    assert await nothing_stored(lake.platform, request, 404) == "not-found"
    empty = await registered(lake.admin, "datasets")
    wrong: list[tuple[Any, int]] = [
        ({"a b": lake.dataset}, 422),
        ({"train": lake.pushed.ids["net"]}, 422),
        ({"train": empty}, 422),
        ({"train": 5}, 422),
        ({"train": ""}, 404),
        ({"train": new_id("dataset")}, 404),
        ({"train": new_id("version")}, 404),
        ({f"n{n}": lake.dataset for n in range(51)}, 422),
        ([lake.dataset], 422),
    ]
    for datasets, status in wrong:
        request = lake.pushed.run(datasets=datasets)
        assert await nothing_stored(lake.platform, request, status), datasets
    request = lake.pushed.run(slots={"model": {"version": lake.dataset}})
    assert await nothing_stored(lake.platform, request, 422) == "invalid"


async def test_data_that_failed_expectations_is_kept_from_runs(lake: Lake) -> None:
    (version,) = lake.versions
    await lake.expect(BLOCKING)
    assert await lake.refusal(train=version) == "quality"  # nobody has looked at it yet
    await checked(lake.platform, version, BLOCKING, passed=False)
    assert await lake.refusal(train=version) == "quality"
    assert (await read(lake.platform, lake.admin, f"/versions/{version}"))["quality"] == "failed"
    stricter = BLOCKING + "strict: true\n"
    await lake.expect(stricter)
    await checked(lake.platform, version, stricter, passed=True)
    assert await lake.used(train=version) == {"train": version}


async def test_expectations_that_only_warn_hold_no_run_up(lake: Lake) -> None:
    (version,) = lake.versions
    await lake.expect(WARNING)
    assert await lake.used(train=version) == {"train": version}
    await checked(lake.platform, version, WARNING, passed=False)
    assert await lake.used(train=version) == {"train": version}


async def test_a_run_takes_nothing_that_is_in_quarantine(lake: Lake) -> None:
    artifact = await an_artifact(lake.admin, lake.dataset, quarantine=True)
    path = f"/datasets/{lake.dataset}/versions"
    done(await lake.admin.call("POST", path, {"artifact": artifact}))
    assert await lake.refusal(train=lake.dataset) == "quarantined"
