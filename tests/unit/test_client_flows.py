"""The client's flows without any transport: retries, resuming, paging, downloads."""

import json
from collections.abc import Callable, Generator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hansard.client.downloading import download
from hansard.client.effect import Emit, Open, Pause, Read, Reply, Request, Work
from hansard.client.live import EventReader, live
from hansard.client.results import LogEvent, MetricsEvent, Version
from hansard.client.session import Session
from hansard.client_errors import Corrupt, Invalid, Refused, Unavailable, Unreachable

Outcome = Callable[[Any], Any]


def told(flow: Generator[Any, Any, Any], outside: Outcome) -> tuple[list[Any], Any]:
    """Carry out a flow against `outside`: its emitted items, and its result."""
    items: list[Any] = []
    step: Callable[[], Any] = partial(next, flow)
    while True:
        try:
            effect = step()
        except StopIteration as end:
            return items, end.value
        if isinstance(effect, Emit):
            items.append(effect.item)
            step = partial(next, flow)
            continue
        try:
            step = partial(flow.send, outside(effect))
        except (Refused, Unreachable) as error:
            step = partial(flow.throw, error)


class Script:
    """Answers effects from a list: replies and bytes are handed over, errors raised."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.effects: list[Any] = []

    def __call__(self, effect: Any) -> Any:
        self.effects.append(effect)
        if isinstance(effect, Pause):
            return None
        if isinstance(effect, Work):
            return effect.call()
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(effect, Request) and effect.sink and outcome.status == 200:
            effect.sink.restart()
            effect.sink.write(outcome.content)
        return outcome

    def asked(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps(body).encode())


def refused(status: int, code: str = "unavailable", **headers: str) -> Reply:
    body = {"type": f"urn:hansard:problem:{code}", "detail": "no", "status": status}
    return reply(body, status, **headers)


def test_a_write_is_repeated_with_the_same_key_until_the_server_is_back() -> None:
    script = Script(Unreachable("gone"), refused(503), reply({"id": "x", "position": 7}))
    session = Session(patience_s=30)
    _, answer = told(session.write("POST", "/v1/x", {}, key=True), script)
    requests = script.asked(Request)
    assert answer == {"id": "x", "position": 7}
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1
    assert len(requests) == 3
    assert session.position == 7


def test_reads_after_a_write_ask_for_its_position() -> None:
    session = Session(patience_s=1)
    told(session.write("POST", "/v1/x", {}, key=True), Script(reply({"position": 41})))
    script = Script(reply({}))
    told(session.get("/v1/x", {"name": "n", "left_out": None, "archived": True}), script)
    (request,) = script.asked(Request)
    assert request.query == {"name": "n", "archived": "true", "min_position": "41"}


def test_patience_ends_with_the_last_error() -> None:
    with pytest.raises(Unavailable):
        told(Session(patience_s=0).get("/v1/x"), Script(refused(503)))


def test_a_refusal_that_will_not_pass_is_not_repeated() -> None:
    script = Script(refused(422, "misfit"))
    with pytest.raises(Invalid) as caught:
        told(Session(patience_s=30).get("/v1/x"), script)
    assert caught.value.code == "misfit"
    assert not script.asked(Pause)


def test_the_server_decides_how_long_to_wait() -> None:
    script = Script(refused(429, **{"retry-after": "3"}), reply({}))
    told(Session(patience_s=30).get("/v1/x"), script)
    assert script.asked(Pause)[0].seconds >= 3


def test_an_answer_that_is_no_json_is_no_server_of_ours() -> None:
    with pytest.raises(Unreachable, match="no Hansard server"):
        told(Session(patience_s=0).get("/v1/x"), Script(Reply(200, {}, b"<html>")))


RUN = "run-00000000-0000-7000-8000-000000000001"
METRICS = {"run": RUN, "attempt": 1, "series": []}


def sse(event: str, data: object, position: str) -> bytes:
    return f"id: {position}\nevent: {event}\ndata: {json.dumps(data)}\n\n".encode()


def status(value: str, position: str) -> bytes:
    about = {"run": RUN, "topic": "run.x.v1", "status": value, "position": 1}
    return sse("status", {**about, "time": "2026-01-01T00:00:00Z", "data": {}}, position)


OPEN = sse("open", {}, "e5.t5")
OPENED = Reply(200, {}, b"")
GOES_ON = reply({"ended_at": None})


def test_a_cut_stream_is_resumed_behind_the_last_whole_event() -> None:
    torn = sse("log", {}, "e5.t7")[:20]
    script = Script(
        *(OPENED, OPEN, GOES_ON, sse("metrics", METRICS, "e5.t6") + torn, Unreachable("cut")),
        *(Unreachable("still down"), OPENED, OPEN, sse("metrics", METRICS, "e5.t7")),
        *(status("succeeded", "e6.t7"),),
    )
    items, _ = told(live(Session(patience_s=30), [f"run:{RUN}"], RUN), script)
    assert [type(item).__name__ for item in items] == [
        *("MetricsEvent", "MetricsEvent", "StatusEvent"),
    ]
    opened = [effect.request.headers.get("Last-Event-ID") for effect in script.asked(Open)]
    assert opened == [None, "e5.t6", "e5.t6"]


def test_a_stream_that_the_server_closes_is_resumed_too() -> None:
    script = Script(*(OPENED, OPEN, GOES_ON, b""), *(OPENED, status("failed", "e6.t5")))
    items, _ = told(live(Session(patience_s=30), [f"run:{RUN}"], RUN), script)
    assert [item.status for item in items] == ["failed"]
    assert script.asked(Open)[1].request.headers["Last-Event-ID"] == "e5.t5"


def test_the_stream_of_a_run_that_had_ended_ends_at_once() -> None:
    session = Session(patience_s=30)
    script = Script(OPENED, OPEN, reply({"ended_at": "2026-01-01T00:00:00Z"}))
    assert told(live(session, [f"run:{RUN}"], RUN), script) == ([], None)
    (request,) = script.asked(Request)
    assert request.query["min_position"] == "5"


def test_a_stream_of_several_things_does_not_end_with_one_run() -> None:
    script = Script(OPENED, OPEN, status("failed", "e6.t5"), Unreachable("down"))
    with pytest.raises(Unreachable):
        told(live(Session(patience_s=0), ["project:p", f"run:{RUN}"], None), script)
    assert len(script.asked(Read)) == 3


def test_events_arrive_whole_however_the_bytes_are_cut() -> None:
    data = OPEN + b": ping\n\n" + sse("log", {"text": "zwei Wörter"}, "e5.t9")
    whole = list(EventReader().feed(data))
    reader = EventReader()
    pieces = [message for at in range(len(data)) for message in reader.feed(data[at : at + 1])]
    assert pieces == whole
    assert [message.event for message in whole] == ["open", "log"]


def test_values_that_json_cannot_hold_arrive_as_numbers() -> None:
    points = {"key": "loss", "steps": [1, 2], "values": ["nan", "-inf"], "times": [1, 2]}
    event = MetricsEvent.model_validate({**METRICS, "series": [points]})
    assert event.series[0].values[0] != event.series[0].values[0]
    assert event.series[0].values[1] == float("-inf")


def test_members_that_a_newer_server_adds_are_ignored() -> None:
    log = {"run": RUN, "attempt": 1, "stream": "stdout", "first_line": 1, "lines": [], "times": []}
    assert LogEvent.model_validate({**log, "colour": "blue"}).first_line == 1


def a_version(*files: tuple[str, bytes]) -> Version:
    artifacts = [
        {"path": path, "digest": sha256(data).hexdigest(), "size": len(data)}
        for path, data in files
    ]
    return Version.model_validate(
        {
            "id": "version-1",
            "abstraction": "model-1",
            "kind": "model",
            "project": "p",
            "number": 1,
            "source": {},
            "artifacts": artifacts,
            "created_by": "user-1",
            "created_at": "2026-01-01T00:00:00Z",
        }
    )


def test_a_download_is_whole_and_verified(tmp_path: Path) -> None:
    version = a_version(("weights.safetensors", b"123"), ("sub/config.json", b"{}"))
    script = Script(Reply(200, {}, b"123"), refused(503), Reply(200, {}, b"{}"))
    told(download(Session(30), version, tmp_path / "out", None), script)
    assert (tmp_path / "out" / "weights.safetensors").read_bytes() == b"123"
    assert (tmp_path / "out" / "sub" / "config.json").read_bytes() == b"{}"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_download_with_another_digest_leaves_nothing(tmp_path: Path) -> None:
    version = a_version(("weights", b"123"), ("more", b"4"))
    with pytest.raises(Corrupt):
        told(
            download(Session(30), version, tmp_path / "out", None),
            Script(Reply(200, {}, b"123"), Reply(200, {}, b"5")),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "", "a\\b"])
def test_a_download_never_leaves_its_folder(path: str, tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match="leads out"):
        told(download(Session(30), a_version((path, b"")), tmp_path / "out", None), Script())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_never_written_over(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        told(download(Session(30), a_version(("a", b"")), tmp_path, None), Script())
