"""Runs in a process of their user, through HTTP: opened, told of, and guarded."""

from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from hansard.formats.columns import Column
from hansard.formats.frames import Frame, Kind, pack_metrics, pack_status
from hansard.formats.ids import new_id
from hansard.formats.shipment import pack_frames
from tests.integration.conftest import Servers
from tests.integration.people import a_person, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import Pushed, a_name


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


async def opened(platform: Platform, **more: Any) -> dict[str, Any]:
    made = done(await platform.http.post("/v1/experiments", json={"name": a_name()}))
    body = {"id": new_id("run"), "experiment": made["id"], "name": "try", **more}
    first = done(await platform.http.post("/v1/runs/local", json=body))
    again = done(await platform.http.post("/v1/runs/local", json=body))
    assert (again["id"], again["repeated"]) == (first["id"], True)
    params = {"min_position": first["position"]}
    return done(await platform.http.get(f"/v1/runs/{first['id']}", params=params))


async def told(platform: Platform, run: str, frames: Sequence[Frame]) -> httpx.Response:
    return await platform.http.post(f"/v1/runs/{run}/frames", content=pack_frames(frames))


def a_status(seq: int = 1, **status: Any) -> Frame:
    return Frame(seq, Kind.STATUS, pack_status(status))


def points(seq: int, key: str = "loss") -> Frame:
    column = Column(key, array("q", [0, 1]), array("d", [0.5, 0.25]), array("q", [1, 2]))
    return Frame(seq, Kind.METRICS, pack_metrics([column]))


async def test_an_open_run_is_running_outside_and_its_frames_are_stored_once(
    platform: Platform,
) -> None:
    run = await opened(platform, parameters={"lr": 0.1}, tags={"a": "b"})
    assert (run["status"], run["backend"], run["node"]) == ("running", "outside", "outside")
    assert (run["executor"], run["parameters"], run["attempt"]) == ("", {"lr": 0.1}, 1)
    for _ in range(2):
        answer = done(await told(platform, run["id"], [a_status(1, state="running"), points(2)]))
        assert answer == {"seq": 2, "status": "running", "cancel_requested": False}
    answer = done(await told(platform, run["id"], [points(3)]))
    series: dict[str, Any] = {}
    for _ in range(200):
        series = (await platform.http.get(f"/v1/runs/{run['id']}/metrics")).json()
        if series["items"] and series["items"][0]["points"] == 4:
            break
    assert series["items"][0]["points"] == 4


async def test_what_is_no_frame_of_such_a_run_is_refused(platform: Platform) -> None:
    run = await opened(platform)
    wrong: list[bytes] = [
        b"junk",
        pack_frames([Frame(1, Kind.METRICS, b"junk")]),
        pack_frames([Frame(1, Kind.LOG, b"{}")]),
        pack_frames([Frame(1, Kind.ITEMS, b"{}")]),
        pack_frames([points(1, "a\0b")]),
        pack_frames([points(1, "\n")]),
        *(
            pack_frames([a_status(**status)])
            for status in (
                {"state": "starting", "sandbox": "none", "facts": {}},
                {"state": "ended", "outcome": "fine"},
                {"state": "ended", "outcome": "succeeded", "outputs": [{"artifact": "x"}]},
                {"state": "ended", "outcome": "succeeded", "metric_points": -1},
                {"state": "ended", "outcome": "succeeded", "series_root": "x"},
                {"state": "ended", "outcome": "succeeded", "results": {"a": "\0"}},
                {"state": "running", "more": 1},
            )
        ),
    ]
    for body in wrong:
        answer = await platform.http.post(f"/v1/runs/{run['id']}/frames", content=body)
        assert code_of(answer, 422) == "invalid", body


async def test_only_who_opened_a_run_tells_of_it_and_nobody_of_a_run_on_a_node(
    platform: Platform,
) -> None:
    run = await opened(platform)
    other = await a_person(platform)
    path = f"/runs/{run['id']}/frames"
    assert code_of(await other.call("POST", path, content=b""), 404) == "not-found"
    pushed = Pushed(platform)
    await pushed.everything()
    placed = done(await pushed.run())
    assert code_of(await told(platform, placed["id"], []), 409) == "not-outside"
    missing = await told(platform, new_id("run"), [])
    assert code_of(missing, 404) == "not-found"


async def test_odd_requests_for_a_run_are_refused(platform: Platform) -> None:
    made = done(await platform.http.post("/v1/experiments", json={"name": a_name()}))
    for change in ({"name": "a/b"}, {"tags": {"a b": "c"}}, {"parameters": {"a": "\0"}}):
        body = {"experiment": made["id"], "name": "try", **change}
        assert code_of(await platform.http.post("/v1/runs/local", json=body), 422) == "invalid"
    body = {"experiment": new_id("experiment"), "name": "try"}
    assert code_of(await platform.http.post("/v1/runs/local", json=body), 404) == "not-found"
