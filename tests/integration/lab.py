"""A log and read models of a test's own: it may poison, repeat and kill as it likes."""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from nats.aio.client import Client

from domain.abstraction import Abstraction
from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.artifact import Artifact
from domain.entity import Entity
from domain.errors import DomainError
from domain.experiment import Experiment
from domain.group import Group
from domain.run import Run
from domain.user import User
from domain.version import Version
from hansard.formats.ids import new_id
from infra.database import Connection, connect, migrate
from infra.event_codec import encode
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.message import TOPIC_HEADER
from infra.event_log.streams import Stream, create, events
from infra.event_store import scope_of
from infra.nats_connection import connect as connect_nats
from projections.batch import BatchWriter
from projections.compaction import compact
from projections.projector import Follower, events_follower
from projections.read_event import ReadEvent
from projections.rebuild import MIGRATIONS
from projections.telemetry import ReadFrame, attempt_of, fold_frames, read_frame
from tests.integration.conftest import Servers
from tests.unit.stories import ADMIT, BEGIN, CANCEL, LOSE, QUEUE, START, a_request, fail, succeed

CONTEXT = Context("user-1", datetime(2030, 1, 2, tzinfo=UTC), "request")
PROJECT = new_id("project")


@dataclass
class Lab:
    """One stream of events, one of telemetry, and any number of schemas folded from them."""

    servers: Servers
    client: Client
    layout: Layout
    stack: ExitStack
    log: EventLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = EventLog(self.client, self.layout)

    @property
    def telemetry(self) -> str:
        return f"tel_{self.layout.prefix}"

    def schema(self) -> str:
        """A new set of empty read models."""
        name = f"lab_{uuid4().hex[:10]}"
        migrate(self.servers.postgres, name, MIGRATIONS)
        return name

    def tables(self, schema: str) -> Connection:
        return self.stack.enter_context(connect(self.servers.postgres, schema))

    def follower(self, connection: Connection) -> Follower[ReadEvent]:
        found = events_follower(connection, self.servers.nats["admin"], self.layout)
        self.stack.callback(found.close)
        return found

    def telemetry_follower(self, connection: Connection) -> Follower[ReadFrame]:
        found = Follower(
            BulkReader(self.servers.nats["admin"], self.telemetry.upper()),
            BatchWriter(connection, "TELEMETRY", fold_frames),
            f"{self.telemetry}.>",
            read_frame,
            attempt_of,
        )
        self.stack.callback(found.close)
        return found

    async def save(self, *aggregates: Aggregate) -> int:
        stored = [event for aggregate in aggregates for event in pending(aggregate)]
        return (await self.log.append(stored))[-1]

    async def publish(self, subject: str, payload: bytes, topic: str = "") -> None:
        """Anything at all, as a broken or hostile writer might."""
        await self.client.request(
            subject, payload, 5, headers={TOPIC_HEADER: topic} if topic else {}
        )

    def folded(self, steps: Callable[[], int] = lambda: 5000) -> Connection:
        """Read models of everything in the log, in batches of so many events."""
        connection = self.tables(self.schema())
        catch_up(self.follower(connection), steps)
        return connection


def pending(aggregate: Aggregate) -> list[StoredEvent]:
    """What the aggregate has emitted, as the log stores it; it counts as saved then."""
    return [
        encode(event, CONTEXT, scope_of(aggregate))
        for event in aggregate.collect_events()
        if isinstance(event, AggregateEvent)
    ]


def catch_up(follower: Follower[Any], steps: Callable[[], int] = lambda: 5000) -> None:
    while follower.step(limit=steps()):
        pass


@asynccontextmanager
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    name = uuid4().hex[:8]
    client = await connect_nats(servers.nats["admin"], "lab")
    with ExitStack() as stack:
        made = Lab(servers, client, Layout(f"LOG_{name}", f"log_{name}"), stack)
        await create(client, events(made.layout))
        await create(client, Stream(made.telemetry.upper(), f"{made.telemetry}.>", {}))
        try:
            yield made
        finally:
            await client.close()


def _changes(chance: random.Random) -> list[Callable[[Any], object]]:
    word = chance.choice(["a", "b", "größer", "x" * 100])
    return [
        lambda e: e.rename(word),
        lambda e: e.describe(word),
        lambda e: e.tag({word[:3].encode("ascii", "ignore").decode() or "k": word}),
        Entity.archive,
        Entity.restore,
    ]


_OF_RUNS: Iterable[Callable[[Run], object]] = (
    *(QUEUE, ADMIT, START, BEGIN, QUEUE, ADMIT, START, BEGIN, LOSE, CANCEL, succeed, fail),
    lambda run: run.note("seen"),
)


def _sharings(chance: random.Random) -> list[Callable[[Any], object]]:
    visibility = chance.choice(["private", "project", "public"])
    until = chance.choice([None, datetime(2030, 1, chance.randint(1, 28), tzinfo=UTC)])
    return [
        lambda e: e.share(visibility, [], [new_id("user")]),
        lambda e: e.embargo(until),
    ]


def _numberings(chance: random.Random) -> list[Callable[[Any], object]]:
    number = chance.choice([None, 1, 2])
    return [
        lambda a: a.add_version(new_id("version")),
        lambda a: a.alias({chance.choice("ab"): number}),
        lambda a: a.expect(chance.choice(["x", None])),
    ]


def _sayings(chance: random.Random) -> list[Callable[[Any], object]]:
    digest, outcome = chance.choice("ab") * 64, chance.random() < 0.5
    return [
        Version.archive,
        Version.restore,
        lambda v: v.annotate({"metrics": {"rows": chance.random()}}),
        lambda v: v.record_profile({"rows": 1}, {}),
        lambda v: v.record_check(digest, passed=outcome, blocking=True, results=[], examples={}),
        lambda v: v.delete("old") if chance.random() < 0.1 else None,
    ]


def _keepings(chance: random.Random) -> list[Callable[[Any], object]]:
    time = datetime(2030, 1, chance.randint(1, 28), tzinfo=UTC)
    return [
        lambda a: a.attach(new_id("version")),
        lambda a: a.hold("an audit"),
        lambda a: a.release("over"),
        lambda a: a.retain(time),
        lambda a: a.delete("old", time) if chance.random() < 0.1 else None,
    ]


def _stored() -> list[Aggregate]:
    """A dataset with two versions, and the bytes of each."""
    dataset = Abstraction.register(new_id("dataset"), PROJECT, "d")
    found: list[Aggregate] = [dataset]
    for root in "ab":
        artifact = Artifact.commit(
            new_id("artifact"), project=PROJECT, root=root * 64, size=1, files=1, format_="csv"
        )
        id_ = new_id("version")
        version = Version.of(dataset, id_, dataset.add_version(id_), content=artifact.content)
        found += [version, artifact]
    return found


def _memberships(chance: random.Random, groups: Sequence[Group]) -> list[Callable[[Any], object]]:
    role, group = chance.choice(["viewer", "contributor", "manager"]), chance.choice(groups)
    return [
        lambda u: u.join(group.id),
        lambda u: u.leave(group.id),
        lambda h: h.grant_role(PROJECT, role),
        lambda h: h.revoke_role(PROJECT),
    ]


def _erased(chance: random.Random, user: User) -> None:
    if chance.random() < 0.1:
        user.erase("left")


def _possible(
    chance: random.Random, entity: Aggregate, groups: Sequence[Group]
) -> list[Callable[[Any], object]]:
    memberships = _memberships(chance, groups)
    match entity:
        case User():
            return [*memberships, User.disable, User.enable, lambda u: _erased(chance, u)]
        case Group():
            return [*_changes(chance), *memberships[2:]]
        case Run():
            return [*_changes(chance), *_OF_RUNS]
        case Abstraction():
            return [*_changes(chance), *_sharings(chance), *_numberings(chance)]
        case Version():
            return _sayings(chance)
        case Artifact():
            return _keepings(chance)
        case _:
            return [*_changes(chance), *_sharings(chance)]


async def random_history(made: Lab, seed: int, commands: int) -> None:
    """Many entities, changed in any order."""
    chance = random.Random(seed)
    experiments = [Experiment.create(new_id("experiment"), PROJECT, f"e{n}") for n in range(5)]
    groups = [Group.create(new_id("group"), f"g{n}") for n in range(2)]
    entities: list[Aggregate] = [
        *experiments,
        *(Abstraction.register(new_id("model"), PROJECT, f"m{n}") for n in range(5)),
        *(a_request(name=f"r{n}", experiment=experiments[n % 5].id) for n in range(15)),
        *groups,
        *_stored(),
        *(User.register(new_id("user"), "sealed", {}) for _ in range(3)),
    ]
    for entity in entities:
        await made.save(entity)
    waiting: list[StoredEvent] = []
    for _ in range(commands):
        entity = chance.choice(entities)
        with suppress(DomainError):
            chance.choice(_possible(chance, entity, groups))(entity)
        waiting += pending(entity)
        if chance.random() < 0.2:
            await made.log.append(waiting)
            waiting.clear()
    await made.log.append(waiting)


def compacted(connection: Connection) -> None:
    while compact(connection):
        pass
