"""Realistic events: experiments whose runs live side by side, each from request to its end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random

from eventsourcing.persistence import StoredEvent

from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.experiment import Experiment
from domain.run import Run
from hansard.formats.ids import new_id
from infra.event_codec import encode
from infra.event_store import scope_of

_SIDE_BY_SIDE = 200
_EXPERIMENTS = 50
_NOTED_SHARE = 0.5
_LOCK = sha256(b"lock").hexdigest()
_START = datetime(2026, 1, 1, tzinfo=UTC)


def lifecycles(events: int, seed: int = 0) -> Iterator[StoredEvent]:
    """Exactly `events` events: experiments first, then runs of 6 or 7 events, interleaved."""
    random = Random(seed)
    everything = _interleaved(random)
    for _ in range(events):
        yield next(everything)


def _interleaved(random: Random) -> Iterator[StoredEvent]:
    project, clock = new_id("project"), _START
    experiments = []
    for number in range(_EXPERIMENTS):
        experiment = Experiment.create(new_id("experiment"), project, f"experiment {number}")
        experiments.append(experiment)
        yield _stored(experiment, clock)
    alive: list[Iterator[Run]] = []
    while True:
        clock += timedelta(milliseconds=10)
        if len(alive) < _SIDE_BY_SIDE:
            alive.append(_life(random.choice(experiments), random))
        place = random.randrange(len(alive))
        run = next(alive[place], None)
        if run is None:
            del alive[place]
        else:
            yield _stored(run, clock)


def _life(experiment: Experiment, random: Random) -> Iterator[Run]:
    """A run after each of its events."""
    assert experiment.project is not None
    run = Run.request(
        new_id("run"),
        name=f"trial {random.randrange(10**6)}",
        tags={"team": "vision", "sweep": str(random.randrange(100))},
        project=experiment.project,
        experiment=experiment.id,
        executor=new_id("version"),
        parameters={"epochs": 20, "rate": random.random(), "batch": 64, "optimiser": "adamw"},
        slots={
            "model": {
                "version": new_id("version"),
                "parameters": {"width": 32},
                "keep": "version",
                "name": None,
            },
            "data": {"version": new_id("version"), "parameters": {}, "keep": "none", "name": None},
        },
        resources={"cpus": 1, "gpus": 0, "memory_mb": 2048, "wall_time_s": 3600},
        lock=_LOCK,
        seed=random.randrange(2**32),
    )
    yield run
    run.queue()
    yield run
    attempt = run.admit(backend="ray", node="local", fence=1, token_digest=_LOCK)
    yield run
    run.start(attempt, sandbox="none", facts={"cpu": "x86_64", "cores": 2, "python": "3.11"})
    yield run
    run.begin(attempt)
    yield run
    if random.random() < _NOTED_SHARE:
        run.note("loss looks better than the last sweep")
        yield run
    results = {"accuracy": random.random(), "loss": random.random()}
    run.succeed(attempt, points=4000, root=_LOCK, results=results, logged={}, outputs=[])
    yield run


def _stored(aggregate: Aggregate, time: datetime) -> StoredEvent:
    """The one event an aggregate has pending, as the log stores it."""
    context = Context(actor="user-1", time=time, request=new_id("token"))
    (event,) = aggregate.collect_events()
    assert isinstance(event, AggregateEvent)
    return encode(event, context, scope_of(aggregate))
