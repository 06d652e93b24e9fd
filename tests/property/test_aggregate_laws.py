"""Any order of commands keeps the aggregates' invariants, and their events replay to the same."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.abstraction import Abstraction
from domain.administrators import Administrators
from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.artifact import Artifact
from domain.entity import Entity
from domain.errors import DomainError
from domain.experiment import Experiment
from domain.group import Group
from domain.invitation import Invitation
from domain.name import NameReservation
from domain.policy import Policy
from domain.project import Project
from domain.run import TERMINAL, Run, Status
from domain.token import Token
from domain.user import User
from domain.version import Version
from hansard.formats.ids import new_id
from infra.event_codec import decode, encode
from infra.event_store import scope_of
from tests.unit.stories import a_request

CONTEXT = Context("user-1", datetime(2030, 1, 2, tzinfo=UTC), "request-1")
ENDINGS = {f"run.{status}.v1" for status in TERMINAL}
_NOT_COMPARED = {"_created_on", "_modified_on", "_pending_events"}

Command = Callable[[Any], object]

ATTEMPTS = st.integers(0, 4)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def _run_commands() -> st.SearchStrategy[Command]:
    admit: Command = lambda r: r.admit(backend="b", node="n", fence=1, token_digest="d")  # noqa: E731
    made: list[st.SearchStrategy[Command]] = [
        st.sampled_from([Run.queue, admit, Run.archive, Run.restore]),
        ATTEMPTS.map(lambda n: lambda r: r.start(n, sandbox="none", facts={"cpu": [1]})),
        ATTEMPTS.map(lambda n: lambda r: r.begin(n)),
        ATTEMPTS.map(lambda n: lambda r: r.preempt(n, "p")),
        ATTEMPTS.map(lambda n: lambda r: r.lose_attempt(n, "l")),
        ATTEMPTS.map(lambda n: lambda r: r.end_cancelled(n, points=None, root=None)),
        ATTEMPTS.map(
            lambda n: (
                lambda r: r.succeed(
                    n, points=2, root="r", results={"a": 1.5}, logged={}, outputs=[{"slot": "m"}]
                )
            )
        ),
        ATTEMPTS.map(
            lambda n: lambda r: r.fail(n, "f", points=None, root=None, failure={}, logged={})
        ),
        TEXT.map(lambda text: lambda r: r.request_cancel(text)),
        TEXT.map(lambda text: lambda r: r.note(text)),
    ]
    return st.one_of(*made)


ENTITY_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    TEXT.map(lambda text: lambda e: e.rename(text)),
    TEXT.map(lambda text: lambda e: e.describe(text)),
    st.dictionaries(TEXT, TEXT, max_size=2).map(lambda tags: lambda e: e.tag(tags)),
    st.sampled_from([Entity.archive, Entity.restore]),
)
GROUPS, USERS = ([new_id(kind) for _ in range(3)] for kind in ("group", "user"))
VISIBILITIES = st.sampled_from(["private", "project", "public", "secret"])
TIMES = st.datetimes(timezones=st.sampled_from([UTC]))
SHAREABLE_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    ENTITY_COMMANDS,
    st.tuples(
        VISIBILITIES, st.lists(st.sampled_from(GROUPS)), st.lists(st.sampled_from(USERS))
    ).map(lambda wanted: lambda e: e.share(*wanted)),
    st.none().map(lambda none: lambda e: e.embargo(none)),
    TIMES.map(lambda until: lambda e: e.embargo(until)),
)
ROLE_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from(["viewer", "manager"]).map(
        lambda role: lambda h: h.grant_role(new_id("project"), role)
    ),
    st.just(lambda h: h.revoke_role(next(iter(h.roles), ""))),
)
USER_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    ROLE_COMMANDS,
    st.sampled_from(GROUPS).map(lambda group: lambda u: u.join(group)),
    st.sampled_from(GROUPS).map(lambda group: lambda u: u.leave(group)),
    st.sampled_from(
        [
            *(User.disable, User.enable, lambda u: u.set_password("d")),
            lambda u: u.change_attributes({"admin": True, "teams": ["a"]}),
        ]
    ),
)
POLICY_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from(["a", "b"]).map(lambda c: lambda p: p.propose(c, c * 64, c, USERS[0])),
    st.integers(0, 3).map(lambda number: lambda p: p.approve(number, USERS[1])),
    st.integers(0, 3).map(lambda number: lambda p: p.activate(number)),
    st.just(lambda p: p.retire("r")),
)
INVITATION_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from(USERS).map(lambda user: lambda i: i.accept(user, CONTEXT.time)),
    st.just(Invitation.revoke),
)
VERSIONS = [new_id("version") for _ in range(2)]
ALIASES = st.dictionaries(
    st.sampled_from(["a", "b", "latest"]), st.none() | st.integers(0, 3), max_size=3
)
DATASET_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.just(lambda a: a.add_version(new_id("version"))),
    ALIASES.map(lambda aliases: lambda a: a.alias(aliases)),
    (st.none() | TEXT).map(lambda text: lambda a: a.expect(text)),
)
_FINDINGS: dict[str, Any] = {"results": [{"check": "unique"}], "examples": {"a": [1, None]}}
VERSION_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from([Version.archive, Version.restore]),
    st.fixed_dictionaries(
        {},
        optional={
            "card": TEXT,
            "tags": st.dictionaries(TEXT, TEXT, max_size=1),
            "metrics": st.dictionaries(TEXT, st.floats() | st.integers(), max_size=2),
            "mode": st.just("copy"),
        },
    ).map(lambda changes: lambda v: v.annotate(changes)),
    st.sampled_from(["", "why"]).map(lambda reason: lambda v: v.delete(reason)),
    (st.none() | TEXT).map(lambda error: lambda v: v.record_profile({"rows": 1}, {}, error)),
    st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()).map(
        lambda check: (
            lambda v: v.record_check(check[0] * 64, passed=check[1], blocking=check[2], **_FINDINGS)
        )
    ),
)
ARTIFACT_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from(VERSIONS).map(lambda version: lambda a: a.attach(version)),
    st.sampled_from(["", "why"]).map(lambda reason: lambda a: a.hold(reason)),
    st.sampled_from(["", "why"]).map(lambda reason: lambda a: a.release(reason)),
    (st.none() | TIMES).map(lambda until: lambda a: a.retain(until)),
    TIMES.map(lambda now: lambda a: a.delete("why", now)),
)
RUN_COMMANDS = st.lists(_run_commands() | ENTITY_COMMANDS, max_size=25)


def a_dataset() -> Abstraction:
    return Abstraction.register(new_id("dataset"), new_id("project"), "d")


def an_artifact() -> Artifact:
    return Artifact.commit(
        new_id("artifact"),
        project=new_id("project"),
        root="a" * 64,
        size=1,
        files=1,
        format_="csv",
    )


BIRTHS: dict[Callable[[], Aggregate], st.SearchStrategy[Command]] = {
    lambda: Project.create(new_id("project"), "p"): SHAREABLE_COMMANDS,
    lambda: Experiment.create(new_id("experiment"), new_id("project"), "e"): SHAREABLE_COMMANDS,
    lambda: Abstraction.register(new_id("model"), new_id("project"), "m"): (
        SHAREABLE_COMMANDS | st.just(lambda a: a.add_version(new_id("version")))
    ),
    a_dataset: SHAREABLE_COMMANDS | DATASET_COMMANDS,
    lambda: Version.of(a_dataset(), new_id("version"), 1, {}): VERSION_COMMANDS,
    an_artifact: ARTIFACT_COMMANDS,
    lambda: NameReservation.reserve("name-1", "model-1"): st.sampled_from(
        [NameReservation.release, lambda n: n.take("model-2")]
    ),
    lambda: User.register(new_id("user"), "sealed", {}): USER_COMMANDS,
    lambda: Group.create(new_id("group"), "g"): ENTITY_COMMANDS | ROLE_COMMANDS,
    lambda: Policy.create("p"): POLICY_COMMANDS,
    lambda: Invitation.issue(
        new_id("invitation"), "d", group=GROUPS[0], expires_at=datetime.max.replace(tzinfo=UTC)
    ): INVITATION_COMMANDS,
    lambda: Administrators.begin(USERS[:1]): st.sampled_from(USERS).flatmap(
        lambda user: st.sampled_from([lambda a: a.add(user), lambda a: a.remove(user)])
    ),
    lambda: Token.issue(new_id("token"), new_id("user"), "t", "d"): st.sampled_from([Token.revoke]),
}


def carried_out(aggregate: Aggregate, commands: list[Command]) -> list[AggregateEvent]:
    for command in commands:
        with suppress(DomainError):
            command(aggregate)
    events = aggregate.collect_events()
    return [event for event in events if isinstance(event, AggregateEvent)]


def replayed(events: list[AggregateEvent], scope: dict[str, str]) -> Any:
    """The aggregate that reading the stored events gives."""
    aggregate: Any = None
    for event in events:
        stored = encode(event, CONTEXT, scope)
        version = stored.originator_version
        read = decode(str(stored.originator_id), version, stored.topic, stored.state)
        aggregate = read.mutate(aggregate)
    return aggregate


def state(aggregate: Aggregate) -> dict[str, Any]:
    return {k: v for k, v in vars(aggregate).items() if k not in _NOT_COMPARED}


@given(RUN_COMMANDS)
def test_any_order_of_commands_keeps_a_run_valid(commands: list[Command]) -> None:
    run = a_request()
    stored = [encode(e, CONTEXT, scope_of(run)) for e in carried_out(run, commands)]
    topics = [event.topic for event in stored]
    assert [event.originator_version for event in stored] == list(range(1, len(stored) + 1))
    assert run.status in Status
    assert len(ENDINGS.intersection(topics)) == sum(t in ENDINGS for t in topics)
    assert (len(ENDINGS.intersection(topics)) == 1) == run.ended
    assert topics.count("run.admitted.v2") == run.attempt
    if run.ended:
        after = topics[[topic in ENDINGS for topic in topics].index(True) + 1 :]
        allowed = ("noted", "renamed", "described", "tagged", "archived", "restored")
        assert all(topic.split(".")[1] in allowed for topic in after)


@given(RUN_COMMANDS)
def test_attempts_count_up_one_by_one(commands: list[Command]) -> None:
    events = carried_out(a_request(), commands)
    attempts = [vars(e)["attempt"] for e in events if isinstance(e, Run.Admitted)]
    assert attempts == list(range(1, len(attempts) + 1))


@given(RUN_COMMANDS)
def test_a_run_replays_to_what_it_was(commands: list[Command]) -> None:
    run = a_request()
    events = carried_out(run, commands)
    again = replayed(events, scope_of(run))
    assert type(again) is Run
    assert state(again) == state(run)


@given(st.data())
def test_every_other_aggregate_replays_to_what_it_was(data: st.DataObject) -> None:
    birth = data.draw(st.sampled_from(list(BIRTHS)))
    aggregate = birth()
    events = carried_out(aggregate, data.draw(st.lists(BIRTHS[birth], max_size=8)))
    again = replayed(events, scope_of(aggregate))
    assert type(again) is type(aggregate)
    assert state(again) == state(aggregate)


@given(st.lists(ARTIFACT_COMMANDS, max_size=15))
def test_bytes_are_never_given_up_while_something_keeps_them(commands: list[Command]) -> None:
    artifact = an_artifact()
    kept_until, owners = None, set()
    for command in commands:
        held, gone = artifact.held, artifact.deleted
        with suppress(DomainError):
            command(artifact)
        assert not (held and artifact.deleted and not gone)
        assert kept_until is None or (
            artifact.retained_until is not None and artifact.retained_until >= kept_until
        )
        kept_until = artifact.retained_until
        owners |= {artifact.attached_to} - {None}
    assert len(owners) <= 1


@given(st.lists(SHAREABLE_COMMANDS | DATASET_COMMANDS, max_size=15))
def test_an_alias_always_means_a_version_that_there_is(commands: list[Command]) -> None:
    dataset = a_dataset()
    carried_out(dataset, commands)
    assert all(1 <= number <= len(dataset.versions) for number in dataset.aliases.values())
    assert "latest" not in dataset.aliases
