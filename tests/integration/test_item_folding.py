"""Logged items in the read models: once each, in order, and the same after a rebuild."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hansard.formats.frames import Frame, Item, ItemBatch, Kind, pack_items
from hansard.formats.ids import new_id
from infra.database import Connection
from policies.access import Permit
from projections.rebuild import compare
from projections.run_records import logged_items
from tests.integration.conftest import Servers
from tests.integration.lab import Lab, catch_up
from tests.integration.lab import lab as open_lab

RUN = new_id("run")
IMAGE = Item(1, "img", "image", 3, 5, "items/a.png", "image/png", 7, {"caption": "a\0b\ud800"})


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


async def send(lab: Lab, seq: int, items: list[Item], attempt: int = 1) -> None:
    frame = Frame(seq, Kind.ITEMS, pack_items(ItemBatch(f"artifact-{seq}", items)))
    await lab.publish(f"{lab.telemetry}.n.p.e.{RUN}.{attempt}.i", frame.to_bytes())


def numbers(
    tables: Connection,
    name: str | None = None,
    kind: str | None = None,
    after: int = 0,
    attempt: int = 1,
) -> list[int]:
    permit = Permit("run", RUN)
    found = logged_items(tables, permit, attempt, name, kind, after, 10)
    return [item["number"] for item in found]


async def test_items_are_folded_once_and_found_by_name_and_kind(lab: Lab) -> None:
    table = replace(IMAGE, number=2, name="t", kind="table", step=None)
    await send(lab, 1, [IMAGE, table])
    await send(lab, 1, [replace(IMAGE, name="repeated")])
    await send(lab, 2, [replace(IMAGE, number=3), replace(IMAGE, number=3, name="last of 3")])
    await send(lab, 1, [IMAGE], attempt=2)
    one, other = lab.tables(lab.schema()), lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(one))
    catch_up(lab.telemetry_follower(other), lambda: 1)
    assert numbers(one) == [1, 2, 3]
    assert (numbers(one, name="img"), numbers(one, kind="table")) == ([1], [2])
    assert (numbers(one, after=2), numbers(one, attempt=2)) == ([3], [1])
    [first] = logged_items(one, Permit("run", RUN), 1, "img", None, 0, 10)
    assert (first["artifact"], first["meta"]) == (
        "artifact-1",
        {"caption": "a\ufffdb" + 3 * "\ufffd"},
    )
    assert compare(one, other) == []


async def test_a_frame_that_holds_no_items_waits_and_holds_back_nothing_else(lab: Lab) -> None:
    bad = Frame(1, Kind.ITEMS, b'{"artifact": "a", "items": [{}]}')
    await lab.publish(f"{lab.telemetry}.n.p.e.{RUN}.1.i", bad.to_bytes())
    await send(lab, 1, [IMAGE], attempt=2)
    tables = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(tables))
    assert (numbers(tables), numbers(tables, attempt=2)) == ([], [1])
    dead = tables.execute("SELECT count(*) FROM dead_letter").fetchone()
    assert dead == (1,)
