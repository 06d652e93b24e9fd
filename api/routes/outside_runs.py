"""Runs in a process of their user, such as a notebook: opened, and told of."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, status
from pydantic import BaseModel, Field

from api.commands.outside_runs import Opening, open_run, take_frames
from api.dependencies import ContextOf, GuardOf, ServicesOf, creation_id
from api.routes.bodies import Body, Id, Name, Tags, Written

router = APIRouter(prefix="/runs", tags=["runs"])


class NewLocalRun(Body):
    """A run that goes on already."""

    id: Id | None = None
    experiment: Id
    name: Name
    parameters: dict[str, Any] = {}
    tags: Tags = {}
    started_by: Annotated[str, Field(max_length=200, description="such as `python 3.11`")] = ""


class Taken(BaseModel):
    """What was stored, and what has become of the run."""

    seq: int
    status: str
    cancel_requested: bool


@router.post("/local", status_code=status.HTTP_201_CREATED)
async def open_(
    body: NewLocalRun, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Open a run in a process of your own: it is running, in no queue, on no node of ours."""
    id_ = creation_id("run", body.id, context)
    asked = Opening(id_, body.experiment, body.name, body.parameters, body.tags, body.started_by)
    position = await services.store.run(context, lambda session: open_run(session, guard, asked))
    return Written(id=id_, position=position)


@router.post("/{id_}/frames")
async def take(
    id_: str, request: Request, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Taken:
    """Tell of a run that you opened: numbered frames of points, lines and how it ended.

    What was stored before is known by its number, so a repeat changes nothing. A run of which
    nothing is heard for a while is lost; what is told of it later is stored all the same.
    """
    told = await take_frames(services, context, guard, id_, await request.body())
    return Taken(**told)
