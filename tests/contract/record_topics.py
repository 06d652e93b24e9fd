"""Writes `recorded/<topic>.json` for topics without one: `python -m tests.contract.record_topics`.

A recorded event is what a release wrote. It is never changed or made again: a new shape is a new
topic, with an upcaster and a record of its own beside the old one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
from eventsourcing.persistence import StoredEvent

from domain.abstraction import Abstraction, Source, Version
from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.entity import Entity
from domain.experiment import Experiment
from domain.name import NameReservation, reservation_id
from domain.project import Project
from domain.run import Run
from domain.user import Token, User
from infra.event_codec import encode
from infra.event_store import scope_of

RECORDED = Path(__file__).with_name("recorded")
_CONTEXT = Context(
    "user-01890000-0000-7000-8000-000000000000",
    datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    "request",
    idempotency_key="key",
)


def _id(kind: str, number: int = 1) -> str:
    return f"{kind}-01890000-0000-7000-8000-{number:012x}"


def _changed(entity: Entity) -> Entity:
    entity.rename("renamed")
    entity.describe("words")
    entity.tag({"team": "vision"})
    entity.archive()
    entity.restore()
    return entity


def _code() -> Iterator[Aggregate]:
    model = Abstraction.register(_id("model"), _id("project"), "net", "a net")
    number = model.add_version(_id("version"))
    source = Source("b" * 64, "m:Net", ["torch"], "c" * 64, {"methods": {"save": []}, "slots": {}})
    members = {name: getattr(source, name) for name in source.__slots__}
    artifacts = [{"name": "w.safetensors", "digest": "d" * 64, "size": 3}]
    origin = {"run": _id("run"), "slot": "model", "version": _id("version", 2), "executor": "e"}
    version = Version.of(model, _id("version"), number, members, artifacts, origin)
    version.archive()
    version.restore()
    yield from (_changed(model), version)


def _people() -> Iterator[Aggregate]:
    user = User.register(_id("user"), "sealed", {"admin": True})
    user.change_attributes({"team": "vision", "level": 3})
    user.disable()
    user.enable()
    token = Token.issue(_id("token"), user.id, "laptop", "e" * 64)
    token.revoke()
    name = NameReservation.reserve(reservation_id(_id("project"), "model", "net"), _id("model"))
    name.release()
    name.take(_id("model", 2))
    yield from (user, token, name)


def _run(number: int) -> Run:
    slot = {"version": _id("version"), "parameters": {"width": 8}, "keep": True}
    run = Run.request(
        _id("run", number),
        name="first",
        tags={"a": "b"},
        project=_id("project"),
        experiment=_id("experiment"),
        executor=_id("version", 2),
        parameters={"epochs": 3, "rate": 0.1},
        slots={"model": slot},
        resources={"cpus": 1, "gpus": 0, "memory_mb": 0, "wall_time_s": 60},
        lock="f" * 64,
        seed=7,
    )
    run.queue()
    return run


def _admitted(run: Run) -> int:
    return run.admit(backend="local", node="local", fence=3, token_digest="0" * 64)


def _runs() -> Iterator[Run]:
    good, bad, stopped, lost = (_run(number) for number in range(1, 5))
    good.preempt(_admitted(good), "urgent work")
    good.queue()
    attempt = _admitted(good)
    good.start(attempt, sandbox="none", facts={"cpu": "x86", "threads": 2})
    good.begin(attempt)
    good.note("looks well")
    outputs = [{"slot": "model", "version": _id("version", 3), "number": 2}]
    good.succeed(
        attempt, points=9, root="a" * 64, results={"accuracy": 0.97}, logged={}, outputs=outputs
    )
    failure = {"type": "ValueError", "message": "no", "traceback": "..."}
    bad.fail(_admitted(bad), "code", points=0, root="a" * 64, failure=failure, logged={"lr": 0.1})
    attempt = _admitted(stopped)
    stopped.request_cancel("enough")
    stopped.end_cancelled(attempt, points=1, root="b" * 64)
    for _ in range(3):
        lost.lose_attempt(_admitted(lost), "the node died")
    _changed(good)
    yield from (good, bad, stopped, lost)


def _events() -> Iterator[StoredEvent]:
    named = [
        Project.create(_id("project"), "first", "birth"),
        Experiment.create(_id("experiment"), _id("project"), "first", "birth"),
    ]
    for aggregate in (*map(_changed, named), *_code(), *_people(), *_runs()):
        scope = scope_of(aggregate)
        for event in aggregate.collect_events():
            assert isinstance(event, AggregateEvent)
            yield encode(event, _CONTEXT, scope)


def main() -> None:
    """Record one event of each topic that has no record."""
    RECORDED.mkdir(exist_ok=True)
    for event in _events():
        file = RECORDED / f"{event.topic}.json"
        if file.exists():
            continue
        record = {
            "id": event.originator_id,
            "version": event.originator_version,
            "topic": event.topic,
            "state": event.state.decode(),
        }
        file.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
