"""Decisions that were recorded, and whether they would be the same again."""

from typing import Any

from fastapi import APIRouter

from api.access.guard import missing
from api.dependencies import ContextOf, GuardOf, ServicesOf
from api.redecide import redecide, texts_by_digest
from api.routes.entities import read_routes
from domain.decision import Decision
from domain.errors import Invalid
from domain.policy import Policy, policy_id
from domain.text import kind_of
from infra.event_store import Session
from projections import catalogue

router = APIRouter(prefix="/decisions", tags=["decisions"])
read_routes(router, catalogue.DECISIONS)


@router.post("/{id_}/verify")
async def verify(
    id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> dict[str, Any]:
    """Decide again from the record alone: by the texts and attributes of that time.

    Another program than that which decided does it.
    """
    if kind_of(id_) != "decision":
        raise missing(id_)

    async def command(session: Session) -> dict[str, Any]:
        decision = await guard.load(session, Decision, id_, repeats=False)
        found = [await _policy(session, name) for name in decision.policies]
        texts = texts_by_digest(policy for policy in found if policy is not None)
        return redecide(decision, texts).as_dict()

    return await services.store.run(context, command)


async def _policy(session: Session, name: str) -> Policy | None:
    try:
        return await session.find(Policy, policy_id(name), repeats=False)
    except Invalid:
        return None
