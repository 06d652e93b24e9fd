"""Datasets are looked into after they were published: profiles, checks, and what runs may read."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from domain.version import MAX_FINDINGS_BYTES
from tests.integration.artifact_lab import own_database
from tests.integration.artifacts import read
from tests.integration.conftest import Servers
from tests.integration.examined import Lake, a_csv, a_parquet, examining
from tests.integration.governing import a_name, governed, in_force
from tests.integration.people import a_person, done
from tests.integration.platform import Platform
from workers.findings import size_of

FAILING = "on_failure: block\nrows: {min: 100}\n"
MEETING = "on_failure: block\ncolumns: {id: {type: integer, unique: true}}\n"
WARNING = FAILING.replace("block", "warn")
PROFILED, CHECKED = "version.profiled.v1", "version.checked.v1"
MASK = """policy: {name}
entity: version
actions: read
root: {{combine: deny-overrides, rules: [{{id: never, effect: permit, when: "False"}}]}}
mask: [{{fields: [examples, check_examples], when: "r.obj.owner == r.sub.id"}}]
"""


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    own = replace(servers, postgres=own_database(servers))
    async with governed(own, tmp_path) as platform:
        yield platform


@pytest.fixture
async def lake(platform: Platform) -> Lake:
    return await Lake(platform).open(visibility="public")


def an_image(width: int, height: int) -> bytes:
    """Noise, which takes as many bytes as it has."""
    file = BytesIO()
    Image.frombytes("L", (width, height), os.urandom(width * height)).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize("make", [a_csv, a_parquet])
async def test_a_table_gets_a_profile_and_examples(lake: Lake, make: Any) -> None:
    async with examining(lake.platform):
        row = await lake.profiled(await lake.publish(make(label="tulip")))
    (table,) = row["profile"]["tables"]
    assert (table["rows"], row["profile_error"], row["quality"]) == (3, None, None)
    assert [column["type"] for column in table["columns"]] == ["integer", "text"]
    assert "tulip" not in str(row["profile"])
    (cells,) = row["examples"]["tables"]
    assert cells["columns"][1]["top"] == [{"value": "tulip", "count": 3}]
    assert cells["rows"][0] == {"id": 0, "label": "tulip"}
    assert list(lake.platform.settings.work.glob(".examined-*")) == []


async def test_data_that_fails_what_was_expected_before_it_came_is_kept_from_runs(
    lake: Lake,
) -> None:
    await lake.expect(FAILING)
    async with examining(lake.platform):
        version = await lake.publish(a_csv())
        row = await lake.judged(version, "failed")
    (result,) = row["checks"]
    assert (result["check"], result["passed"], result["observed"]) == ("rows", False, 3)
    assert not await lake.started(lake.dataset)


async def test_data_that_nobody_has_looked_at_is_kept_from_runs_until_it_passes(
    lake: Lake,
) -> None:
    version = await lake.publish(a_csv())
    assert await lake.started(version)
    await lake.expect(MEETING)
    assert not await lake.started(version)
    async with examining(lake.platform):
        await lake.judged(version, "passed")
    assert await lake.started(version)


async def test_a_warning_holds_no_run_up(lake: Lake) -> None:
    await lake.expect(WARNING)
    version = await lake.publish(a_csv())
    assert await lake.started(version)
    async with examining(lake.platform):
        await lake.judged(version, "warned")
    assert await lake.started(version)


async def test_new_expectations_are_held_against_every_version(lake: Lake) -> None:
    async with examining(lake.platform):
        short, long = [await lake.publish(a_csv(rows)) for rows in (3, 200)]
        await lake.profiled(short)
        await lake.profiled(long)
        await lake.expect(FAILING)
        await lake.judged(long, "passed")
        await lake.judged(short, "failed")
        assert await lake.started(long)
        assert not await lake.started(short)
        await lake.expect(WARNING)
        await lake.judged(short, "warned")
    assert await lake.started(short)
    assert (await lake.topics(short))[1:] == [PROFILED, CHECKED, CHECKED]


async def test_nothing_is_blocked_where_nothing_is_expected_any_more(lake: Lake) -> None:
    await lake.expect(FAILING)
    async with examining(lake.platform):
        version = await lake.publish(a_csv())
        await lake.judged(version, "failed")
    assert not await lake.started(version)
    await lake.expect(None)
    assert await lake.started(version)
    await lake.expect(FAILING)
    assert not await lake.started(version)


async def test_images_are_counted_and_meet_no_expectations_of_tables(lake: Lake) -> None:
    images = {f"{n}/a.png": an_image(32, 16 + n) for n in range(3)}
    size = sum(map(len, images.values()))
    await lake.expect(FAILING)
    async with examining(lake.platform):
        version = await lake.publish(images)
        row = await lake.judged(version, "failed")
        assert row["profile_error"] is None
        (counted,) = row["profile"]["files"]
        assert (counted["format"], counted["files"], counted["bytes"]) == ("png", 3, size)
        assert (counted["width"], counted["height"]) == ([32, 32], [16, 18])
        assert row["checks"][0]["observed"] == "there is no table among the files"
        await lake.expect(WARNING)
        await lake.judged(version, "warned")
    assert await lake.started(version)


async def test_a_reference_cannot_show_that_it_is_as_expected(lake: Lake) -> None:
    async with examining(lake.platform):
        version = await lake.publish(a_csv(), mode="reference", reproducible=False)
        row = await lake.profiled(version)
        assert "only a reference" in row["profile_error"]
        assert await lake.started(version)
        await lake.expect(MEETING)
        await lake.judged(version, "failed")
    assert not await lake.started(version)


async def test_a_deleted_version_is_not_looked_into(lake: Lake) -> None:
    version = await lake.publish(a_csv())
    done(await lake.admin.call("DELETE", f"/versions/{version}", {"reason": "wrong"}))
    kept = await Lake(lake.platform).open()
    older = await kept.publish(a_csv())
    async with examining(lake.platform):
        await kept.profiled(older)
        await lake.profiled(await lake.publish(a_csv()))
    assert PROFILED not in await lake.topics(version)


async def test_an_examiner_that_starts_later_does_what_is_missing_and_repeats_nothing(
    lake: Lake,
) -> None:
    await lake.expect(MEETING)
    versions = [await lake.publish(a_csv()) for _ in range(2)]
    async with examining(lake.platform):
        for version in versions:
            await lake.judged(version, "passed")
    third = await lake.publish(a_csv())
    async with examining(lake.platform):
        await lake.judged(third, "passed")
    async with examining(lake.platform):
        await lake.judged(await lake.publish(a_csv()), "passed")
    for version in (*versions, third):
        assert (await lake.topics(version))[1:] == [PROFILED, CHECKED]


async def test_two_examiners_at_once_record_what_one_does(lake: Lake) -> None:
    await lake.expect(MEETING)
    versions = [await lake.publish(a_csv()) for _ in range(3)]
    async with examining(lake.platform), examining(lake.platform):
        for version in versions:
            await lake.judged(version, "passed")
    for version in versions:
        assert (await lake.topics(version))[1:] == [PROFILED, CHECKED]


async def test_the_profile_of_two_thousand_columns_is_kept(lake: Lake) -> None:
    names = [f"a rather long name of column {n}" for n in range(2_000)]
    frame = pl.DataFrame({name: [n / 7 for n in range(20)] for name in names})
    file = BytesIO()
    frame.write_parquet(file)
    async with examining(lake.platform):
        row = await lake.profiled(await lake.publish({"wide.parquet": file.getvalue()}))
    assert row["profile_error"] is None
    (table,) = row["profile"]["tables"]
    assert [column["name"] for column in table["columns"]] == names
    assert {"type", "min", "max", "nulls"} <= table["columns"][0].keys()
    told = {"profile": row["profile"], "examples": row["examples"]}
    assert size_of(told) <= MAX_FINDINGS_BYTES


async def test_cells_are_withheld_where_a_policy_masks_them(lake: Lake) -> None:
    eve = await a_person(lake.platform)
    await lake.expect("on_failure: warn\ncolumns: {label: {in: [rose]}}\n")
    async with examining(lake.platform):
        version = await lake.publish(a_csv(label="tulip"))
        await lake.judged(version, "warned")
    await in_force(lake.platform, MASK.format(name=a_name()))
    seen = await read(lake.platform, eve, f"/versions/{version}")
    assert seen["profile"]["tables"][0]["rows"] == 3
    assert seen["checks"][0]["failures"] == 3
    assert {"examples", "check_examples"} <= set(seen["masked"])
    events = await read(lake.platform, eve, "/events", entity=version)
    assert [event["topic"] for event in events["items"]][1:] == [PROFILED, CHECKED]
    assert "tulip" not in str(seen) + str(events)
    whole = await read(lake.platform, lake.admin, f"/versions/{version}")
    assert whole["check_examples"]["checks"][0]["values"] == ["tulip"] * 3
