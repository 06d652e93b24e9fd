"""Asking for runs, and asking what would stand against it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from api.commands.examination import Examination
from api.commands.foresight import foreseen
from api.commands.replication import wanted_seeds
from api.commands.run_parts import RunRequest
from api.commands.runs import looked_at, request_runs, required
from api.dependencies import (
    AskingGuardOf,
    ContextOf,
    FreshGuardOf,
    GuardOf,
    ServicesOf,
    creation_id,
)
from api.routes.bodies import Body, Id, Name, Tags, Written
from api.routes.run_bodies import ResourcesBody, SecretReference, SlotBody, by_place, plain
from domain.aggregate import Context
from domain.claim import MAX_PRIORITY
from domain.run import MAX_DATASETS, MAX_SEEDS
from domain.scheduling import DEFAULT_POOL
from domain.slots import MAX_PARTS
from domain.variables import MAX_VARIABLES
from domain.version import Version

router = APIRouter(tags=["runs"])

Seed = Annotated[int, Field(ge=0, lt=2**32)]


class LaunchBody(Body):
    """What a run is made of, and how it is to run."""

    id: Id | None = None
    name: Name | None = None
    executor: Id
    parameters: Annotated[
        dict[str, Any], Field(description='where a form says `format: secret`: `{"secret": NAME}`')
    ] = {}
    slots: Annotated[
        dict[str, SlotBody | Annotated[list[SlotBody], Field(max_length=MAX_PARTS)]],
        Field(
            max_length=MAX_PARTS,
            description="by slot, many in a list; or by place: `loaders.0`, and `trainer.model` "
            "for the slot of an executor that fills a slot",
        ),
    ] = {}
    datasets: Annotated[
        dict[str, Id],
        Field(max_length=MAX_DATASETS, description="by name: a version, or a dataset's latest"),
    ] = {}
    resources: ResourcesBody = ResourcesBody()
    seed: Seed | None = None
    seeds: Annotated[
        Annotated[list[Seed], Field(max_length=MAX_SEEDS)]
        | Annotated[int, Field(ge=1, le=MAX_SEEDS)]
        | None,
        Field(
            description="one run for each of these seeds, or for so many that are drawn: a group "
            "of runs, whose id `id` is then; ` seed N` is added to the names of its runs and models"
        ),
    ] = None
    tags: Tags = {}
    variables: Annotated[
        dict[str, str | SecretReference],
        Field(
            max_length=MAX_VARIABLES,
            description="of the step's environment: text that is recorded and shown, or "
            '`{"secret": NAME}`',
        ),
    ] = {}
    pool: Annotated[str, Field(max_length=63)] = DEFAULT_POOL
    priority: Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY)] = 0
    group: Annotated[
        Id | None, Field(description="whose shares and quotas count; else the first you are in")
    ] = None

    def request(
        self, context: Context, experiment: str | None, project: str | None = None
    ) -> RunRequest:
        """As commands take it. Raises Invalid."""
        grouped = self.seeds is not None
        id_ = creation_id("rungroup" if grouped else "run", self.id, context)
        return RunRequest(
            id=id_,
            experiment=experiment,
            project=project,
            name=self.name,
            executor=self.executor,
            parameters=self.parameters,
            slots=by_place(self.slots),
            datasets=self.datasets,
            resources=self.resources.model_dump(),
            seeds=wanted_seeds(id_, self.seed, self.seeds),
            grouped=grouped,
            tags=self.tags,
            variables={name: plain(value) for name, value in self.variables.items()},
            claim={"pool": self.pool, "priority": self.priority, "group": self.group},
        )


class RunBody(LaunchBody):
    """A run to request."""

    experiment: Id


class AnyRunBody(LaunchBody):
    """A run that could be requested; `experiment` is null for one still to be made in `project`."""

    experiment: Id | None = None
    project: Id | None = None


class Asked(Written):
    """What was asked for: a run, or a group of runs; `runs` are the ids, in the order of seeds."""

    runs: list[str]


class Finding(BaseModel):
    """What stands against a request: a part of its body, a problem code, and a sentence."""

    field: str
    code: str
    detail: str


class Outlook(BaseModel):
    """Where a run would stand in its pool, counted from 1, and when it would start at the latest.

    The position is null for one that would fail because too many wait already; the start where
    nobody can tell.
    """

    pool: str
    position: int | None
    reason: str
    starts_at: datetime | None


class Verdict(BaseModel):
    """What a request comes to: everything that stands against it, and exact parts as far as known.

    A version is `{version, number, of, kind}`; in a slot it stands beside `parameters`, `methods`,
    `keep` and `name`.
    """

    valid: bool
    errors: list[Finding]
    executor: dict[str, Any] | None
    parameters: dict[str, Any]
    slots: dict[str, dict[str, Any]]
    datasets: dict[str, dict[str, Any]]
    resources: dict[str, Any]
    seeds: list[int]
    queue: Annotated[
        list[Outlook] | None,
        Field(
            description="for each of the seeds what `GET /v1/runs/{id}/queue` would say if it had "
            "been asked for now; null for what is not valid, and while no dispatcher can tell"
        ),
    ]


@router.post("/runs", status_code=status.HTTP_202_ACCEPTED)
async def request(
    body: RunBody,
    services: ServicesOf,
    guard: GuardOf,
    guard_again: FreshGuardOf,
    context: ContextOf,
    response: Response,
) -> Asked:
    """Ask for a run, or for one with each of several seeds: all or none.

    Everything is checked here; what is accepted will be tried. A refusal tells what was found
    first; where there is more, `errors` has all of it.
    """
    asked, store, nodes = body.request(context, body.experiment), services.store, services.nodes
    needed = await store.run(context, lambda session: required(session, guard, asked, nodes))
    await services.locks.digest(*needed)
    now = await guard_again()
    done = await store.run(
        context, lambda session: request_runs(session, now, asked, services.locks, nodes)
    )
    if done.repeated:
        response.status_code = status.HTTP_200_OK
    return Asked(id=asked.id, position=done.position, repeated=done.repeated, runs=done.runs)


@router.post("/launch/validate")
async def validate(
    body: AnyRunBody, services: ServicesOf, guard: AskingGuardOf, context: ContextOf
) -> Verdict:
    """What asking for this run would come to, all problems at once; nothing is recorded.

    Takes what `POST /v1/runs` takes, and checks the same: slots, parameters, datasets, results,
    resources, requirements and rights.
    """
    asked = body.request(context, body.experiment, body.project)
    found, runs = await services.store.run(
        context,
        lambda session: looked_at(session, guard, asked, services.locks, services.nodes),
    )
    valid = not found.findings.refusals
    queue = await foreseen(services.queue, runs, context.actor) if valid else None
    return _verdict(asked, found, None if queue is None else [Outlook(**each) for each in queue])


def _verdict(asked: RunRequest, found: Examination, queue: list[Outlook] | None) -> Verdict:
    slots = {
        slot: {**_exact(found.versions[slot]), **filled} for slot, filled in found.slots.items()
    }
    return Verdict(
        valid=not found.findings.refusals,
        errors=[Finding(**each) for each in found.findings.as_json()],
        executor=None if found.executor is None else _exact(found.executor),
        parameters=found.parameters,
        slots=slots,
        datasets={name: _exact(version) for name, version in found.datasets.items()},
        resources=found.resources.as_dict(),
        seeds=list(asked.seeds),
        queue=queue,
    )


def _exact(version: Version) -> dict[str, Any]:
    return {
        "version": version.id,
        "number": version.number,
        "of": version.abstraction,
        "kind": version.kind,
    }
