"""Questions about policies: why is this permitted, who else could, what would change."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.commands import policy_questions as questions
from api.commands.policy_questions import HypotheticalUser, WhatIf, WhoCan
from api.dependencies import ContextOf, GuardOf, ReadOf, ServicesOf
from api.routes.bodies import Body, Id, PageOf
from domain.errors import Invalid
from projections.page import MAX_LIMIT
from projections.questions import Found, found_difference, who

router = APIRouter(prefix="/policies", tags=["policies"])

Action = Annotated[str, Field(max_length=64)]


class Explained(Body):
    """Whether somebody could do something to an entity, and why."""

    subject: Id | None = None
    action: Action
    entity: Id


class WhoCanDo(Body):
    """Who could do something to an entity; a page of them."""

    action: Action
    entity: Id
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    cursor: Annotated[str, Field(max_length=1000)] | None = None


class OtherAttributes(Body):
    """A user as they might become; what is left out stays."""

    subject: Id | None = None
    attributes: dict[str, Any] | None = None
    groups: Annotated[list[Id], Field(max_length=200)] | None = None
    roles: Annotated[dict[Id, str], Field(max_length=500)] | None = None


class Supposed(Body):
    """A policy that might be in force, a user that might have changed, or both."""

    text: str | None = None
    attributes: OtherAttributes | None = None
    subject: Id | None = None
    kind: Annotated[str, Field(max_length=64)]
    action: Action = "read"


class Rows(BaseModel):
    """How many entities, up to 10,000, and some of them."""

    count: int
    sample: list[str]


class Supposition(BaseModel):
    """What a subject could do to which entities then and not now, and now and not then."""

    gained: Rows
    lost: Rows


@router.post("/explain")
async def explain(
    body: Explained, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> dict[str, Any]:
    """Why something is permitted or not: what each rule says, and which attributes are missing.

    About others only where their attributes may be seen; what may not be seen is not found.
    """
    return await services.store.run(
        context,
        lambda s: questions.explain(s, guard, body.subject, body.action, body.entity),
    )


async def _who(
    body: WhoCanDo, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> tuple[WhoCanDo, WhoCan]:
    """The question, as far as the record answers it."""
    found = await services.store.run(
        context, lambda s: questions.who_can(s, guard, body.action, body.entity)
    )
    return body, found


@router.post("/who-can", response_model=PageOf, response_model_exclude_unset=True)
def who_can(
    services: ServicesOf,
    connection: ReadOf,
    asked: Annotated[tuple[WhoCanDo, WhoCan], Depends(_who)],
) -> dict[str, Any]:
    """Who of the users that you see could do something to an entity that you see, by id."""
    body, question = asked
    binding = orjson.dumps(["who-can", body.action, body.entity, *question.binding])
    place = services.signer.read(body.cursor, binding) if body.cursor is not None else [None]
    position = services.positions.read(connection)
    ids = who(connection, question.people, question.subjects, place[0], body.limit + 1)
    shown = ids[: body.limit]
    more = len(ids) > body.limit
    return {
        "items": [{"id": id_} for id_ in shown],
        "next_cursor": services.signer.sign([shown[-1]], binding) if more else None,
        "position": position,
    }


async def _what_if(
    body: Supposed, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> WhatIf:
    """The difference that is asked for, as formulas."""
    other = body.attributes
    subject = body.subject or (other.subject if other else None)
    if other and other.subject not in (None, subject):
        raise Invalid("two subjects are asked about", field="subject")
    become = HypotheticalUser(other.attributes, other.groups, other.roles) if other else None
    supposed = await services.store.run(
        context, lambda s: questions.suppose(s, guard, subject, become, body.kind, body.action)
    )
    if body.text is not None:
        questions.check_size(guard, body.text)
    return await services.policies.supposing(
        lambda in_force: questions.what_if(in_force, guard, supposed, body.text)
    )


@router.post("/what-if")
def what_if(connection: ReadOf, asked: Annotated[WhatIf, Depends(_what_if)]) -> Supposition:
    """What a change of policies or of a user's attributes gains and loses them.

    Counted and shown are entities that you may see yourself.
    """
    gained, lost = found_difference(connection, asked.listing, asked.difference)
    return Supposition(gained=_rows(gained), lost=_rows(lost))


def _rows(found: Found) -> Rows:
    return Rows(**asdict(found))
