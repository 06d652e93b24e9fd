"""Writes `recorded/<topic>.json` for topics without one: `python -m tests.contract.record_topics`.

A recorded event is what a release wrote. It is never changed or made again: a new shape is a new
topic, with an upcaster and a record of its own beside the old one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
from eventsourcing.persistence import StoredEvent

from domain.abstraction import Abstraction
from domain.administrators import Administrators
from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.artifact import Artifact
from domain.decision import Decision
from domain.entity import Entity
from domain.experiment import Experiment
from domain.group import Group
from domain.invitation import Invitation
from domain.name import NameReservation, reservation_id
from domain.policy import Policy
from domain.project import Project
from domain.run import Run
from domain.secret import Secret
from domain.sharing import Shareable
from domain.signatures.extraction import extract
from domain.signatures.sources import Sources
from domain.token import Token
from domain.user import User
from domain.version import Source, Version
from infra.event_codec import encode
from infra.event_store import scope_of

_LATER = datetime(2030, 6, 1, tzinfo=UTC)
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
    if isinstance(entity, Shareable):
        entity.share("project", [_id("group")], [_id("user", 2)])
        entity.embargo(_LATER)
    entity.rename("renamed")
    entity.describe("words")
    entity.tag({"team": "vision"})
    entity.archive()
    entity.restore()
    return entity


_SIGNATURE = extract(
    Sources({"m.py": b"class Net:\n    def save(self, folder): ...\n"}), "m:Net", "model"
)


def _code() -> Iterator[Aggregate]:
    model = Abstraction.register(_id("model"), _id("project"), "net", "a net")
    number = model.add_version(_id("version"))
    source = Source("b" * 64, "m:Net", ["torch"], "c" * 64, _SIGNATURE)
    members = {name: getattr(source, name) for name in source.__slots__}
    artifacts = [{"name": "w.safetensors", "digest": "d" * 64, "size": 3}]
    origin = {"run": _id("run"), "slot": "model", "version": _id("version", 2), "executor": "e"}
    version = Version.of(model, _id("version"), number, members, artifacts, origin)
    version.archive()
    version.restore()
    yield from (_changed(model), version, *_data())


def _data() -> Iterator[Aggregate]:
    artifact = Artifact.commit(
        _id("artifact"),
        project=_id("project"),
        root="a" * 64,
        size=12,
        files=2,
        format_="parquet",
        run=_id("run"),
    )
    dataset = Abstraction.register(_id("dataset"), _id("project"), "digits", "some digits")
    number = dataset.add_version(_id("version", 4))
    dataset.alias({"gold": number})
    dataset.expect("columns: {}\n")
    details = {
        "description": "ten digits",
        "tags": {"team": "vision"},
        "metrics": {"rows": 10},
        "parents": [_id("version", 3)],
        "mode": "copy",
        "reproducible": True,
        "form": "table",
    }
    version = Version.of(
        dataset, _id("version", 4), number, content=artifact.content, details=details
    )
    artifact.attach(version.id)
    version.annotate({"description": "digits", "card": "# Digits"})
    version.record_profile({"rows": 10}, {"digit": [1, 2]})
    results = [{"check": "not_null", "column": "digit", "failed": 1}]
    version.record_check(
        "b" * 64, passed=False, blocking=True, results=results, examples={"digit": [None]}
    )
    version.delete("wrong digits")
    artifact.hold("an audit")
    artifact.release("the audit is over")
    artifact.retain(_CONTEXT.time)
    artifact.delete("wrong digits", _LATER)
    yield from (artifact, dataset, version)


def _people() -> Iterator[Aggregate]:
    user = User.register(_id("user"), "sealed", {"admin": True})
    user.change_attributes({"team": "vision", "level": 3})
    user.disable()
    user.enable()
    user.join(_id("group"))
    user.leave(_id("group"))
    user.grant_role(_id("project"), "contributor")
    user.revoke_role(_id("project"))
    user.set_password("a" * 64)
    user.disable()
    user.erase("left, and asked for it")
    token = Token.issue(_id("token"), user.id, "laptop", "e" * 64, ["read"], _LATER)
    token.revoke()
    joining = Token.issue(_id("token", 2), user.id, "rack", "f" * 64, (), _LATER, "node")
    joining.join("rack-2")
    name = NameReservation.reserve(reservation_id(_id("project"), "model", "net"), _id("model"))
    name.release()
    name.take(_id("model", 2))
    group = Group.create(_id("group"), "first", "birth")
    group.grant_role(_id("project"), "viewer")
    group.revoke_role(_id("project"))
    group.change_attributes({"weight": 2, "quota_gpus": 4})
    administrators = Administrators.begin([user.id])
    administrators.add(_id("user", 2))
    administrators.remove(user.id)
    yield from (user, token, joining, name, _changed(group), administrators, _invitation())


def _invitation() -> Invitation:
    invitation = Invitation.issue(
        _id("invitation"),
        "b" * 64,
        project=_id("project"),
        role="viewer",
        group=_id("group"),
        expires_at=_LATER,
        uses=2,
        note="for the workshop",
    )
    invitation.accept(_id("user", 2), _CONTEXT.time)
    invitation.revoke()
    return invitation


def _rules() -> Iterator[Aggregate]:
    policy = Policy.create("notebooks")
    number = policy.propose("rules: []\n", "c" * 64, "a first try", by=_id("user"))
    policy.approve(number, by=_id("user", 2))
    policy.activate(number, confirmed_loss=3)
    policy.retire("replaced")
    decision = Decision.record(
        _id("decision"),
        subject={"id": _id("user"), "groups": [_id("group")]},
        kind="run",
        entity=_id("run"),
        action="cancel",
        object={"created_by": _id("user")},
        env={"time": "2030-01-02T03:04:05+00:00"},
        permitted=True,
        rule="owners",
        policy=policy.id,
        policies={policy.id: "c" * 64},
        policy_set="d" * 64,
    )
    yield from (policy, decision)


def _secret() -> Secret:
    secret = Secret.create(_id("secret"), _id("project"), "hub", "a" * 32, "for the hub")
    secret.rotate("b" * 32)
    _changed(secret)
    secret.delete()
    return secret


def _run(number: int) -> Run:
    given = {"parameters": {"width": 8}, "methods": {"predict": {"threshold": 0.5}}}
    slot = {"version": _id("version"), **given, "keep": "model", "name": "wide"}
    run = Run.request(
        _id("run", number),
        name="first",
        tags={"a": "b"},
        project=_id("project"),
        experiment=_id("experiment"),
        executor=_id("version", 2),
        parameters={"epochs": 3, "rate": 0.1, "token": {"secret": "hub"}},
        slots={"model": slot},
        datasets={"train": _id("version", 4)},
        resources={"cpus": 1, "gpus": 0, "memory_mb": 0, "wall_time_s": 60},
        lock="f" * 64,
        seed=7,
        run_group={"id": _id("rungroup"), "seeds": [7, 8]},
        variables={"DATA_MODE": "small", "HUB_TOKEN": {"secret": "hub"}},
        secrets={"/parameters/token": _id("secret"), "/variables/HUB_TOKEN": _id("secret")},
    )
    run.queue()
    return run


def _admitted(run: Run) -> int:
    return run.admit(backend="local", node="local", fence=3, token_digest="0" * 64)


def _runs() -> Iterator[Run]:
    good, bad, stopped, lost = (_run(number) for number in range(1, 5))
    attempt = _admitted(good)
    good.request_preemption(attempt, _id("run", 9), "its room is given to another")
    good.preempt(attempt, "urgent work")
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
    for aggregate in (*map(_changed, named), *_code(), *_people(), *_rules(), _secret(), *_runs()):
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
