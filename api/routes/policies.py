"""Policies: what is in force, what is proposed, and how one becomes the other."""

import asyncio
from dataclasses import asdict
from difflib import unified_diff
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, status
from pydantic import BaseModel, Field

from api.access.guard import Guard
from api.commands import policies as commands
from api.commands.policies import id_of, named
from api.commands.policy_checks import PolicyChecks
from api.commands.policy_questions import check_size, tested
from api.dependencies import (
    AccessOf,
    ContextOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    UserOf,
    answer_one,
    answer_page,
    page_request,
)
from api.routes import decisions, policy_questions
from api.routes.bodies import Body, PageOf, Written
from api.services import Services
from domain.policy import Policy, policy_id
from infra.event_codec import current
from infra.event_log.message import LogMessage
from infra.event_store import Session
from policies.access import Permit
from policies.described import described
from policies.document import read_policy
from projections import catalogue
from projections.page import PageRequest
from projections.questions import Changes, changes

_policies = APIRouter(prefix="/policies", tags=["policies"])

Number = Annotated[int, Path(ge=1, le=10**6, description="number of the proposal")]
Text = Annotated[str, Field(description="the policy in YAML, see docs/policies.md")]
ConfirmLoss = Annotated[
    int, Field(ge=0, le=2**53, description="how many rows people may lose sight of by this")
]


class Proposed(Body):
    """A text to put in force later."""

    text: Text
    comment: str = ""


class Activated(Body):
    """That a proposal comes into force."""

    confirm_loss: ConfirmLoss = 0


class Retired(Body):
    """That a policy goes out of force."""

    reason: str
    confirm_loss: ConfirmLoss = 0


class Tested(Body):
    """A text whose embedded tests are run."""

    text: Text


class Governed(Written):
    """A change of policies, and the active ones that cannot be read and were left out of checks."""

    unreadable: list[str] = []


class WrittenProposal(Governed):
    """A proposal: its number, and the digest of what its text says."""

    number: int
    digest: str


class Outcome(BaseModel):
    """What embedded tests came to."""

    passed: bool
    failures: list[dict[str, Any]]


class Differing(BaseModel):
    """What a proposal changes: its text, and rows that sampled users gain and lose by kind."""

    diff: str
    users: int
    kinds: dict[str, dict[str, int]]


@_policies.get("", response_model=PageOf, response_model_exclude_unset=True)
def list_policies(
    services: ServicesOf,
    access: AccessOf,
    context: ContextOf,
    connection: ReadOf,
    request: Annotated[PageRequest, Depends(page_request(catalogue.POLICIES))],
) -> dict[str, Any]:
    """One page of the policies with their proposals; `active` is the number of the one in force."""
    return answer_page(services, connection, catalogue.POLICIES, request, access, context)


@_policies.get("/schema")
async def schema(access: AccessOf) -> dict[str, Any]:
    """What conditions and filters can speak of: attributes and actions of each kind, subjects."""
    return described(access.policies.subject)


async def _permit(id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf) -> Permit:
    """The right to read the policy of the path, which gives its id or its name."""
    wanted = id_of(id_)
    return await services.store.run(context, lambda s: guard.permit(s, Policy, wanted))


PermitOf = Annotated[Permit, Depends(_permit)]


@_policies.get("/{id_}")
def read(permit: PermitOf, connection: ReadOf) -> dict[str, Any]:
    """A policy with the texts of all its proposals."""
    return answer_one(connection, catalogue.POLICIES, permit)


@_policies.get("/{id_}/history")
async def history(permit: PermitOf, services: ServicesOf) -> dict[str, Any]:
    """Who proposed, approved, activated and retired what, when and why."""
    messages = await services.log.read(permit.entity)
    return {"items": [_step(message) for message in messages]}


@_policies.post("/{id_}/proposals", status_code=status.HTTP_201_CREATED)
async def propose(
    id_: str, body: Proposed, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> WrittenProposal:
    """Propose a text for a policy, new or not; it must compile together with those in force."""
    wanted = id_of(id_)
    await services.store.run(context, lambda s: _may_propose(s, guard, wanted))
    document = commands.read_named(named(wanted), body.text)
    _, policies = await services.policies.with_change(document.policy, body.text)
    await asyncio.to_thread(commands.check_cases, document, policies)
    number, position = await services.store.run(
        context,
        lambda s: commands.propose(s, guard, wanted, document, body.text, body.comment),
    )
    answer = await _governed(services, wanted, position)
    return WrittenProposal(**answer.model_dump(), number=number, digest=document.digest)


@_policies.post("/{id_}/proposals/{number}/approve")
async def approve(
    id_: str,
    number: Number,
    services: ServicesOf,
    caller: UserOf,
    guard: GuardOf,
    context: ContextOf,
) -> Written:
    """Agree to a proposal of somebody else."""
    wanted, checks = id_of(id_), _checks(services)
    position = await services.store.run(
        context, lambda s: commands.approve(s, guard, checks, wanted, number, caller.token)
    )
    return Written(id=wanted, position=position)


@_policies.post("/{id_}/proposals/{number}/activate")
async def activate(
    id_: str,
    number: Number,
    body: Activated,
    services: ServicesOf,
    guard: GuardOf,
    context: ContextOf,
) -> Governed:
    """Put a proposal in force: tests pass, nobody is locked out, and losses are confirmed."""
    wanted, checks = id_of(id_), _checks(services)
    position = await services.store.run(
        context,
        lambda s: commands.activate(s, guard, checks, wanted, number, body.confirm_loss),
    )
    return await _governed(services, wanted, position)


@_policies.post("/{id_}/retire")
async def retire(
    id_: str, body: Retired, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Governed:
    """Put a policy out of force, under the same conditions."""
    wanted, checks = id_of(id_), _checks(services)
    position = await services.store.run(
        context,
        lambda s: commands.retire(s, guard, checks, wanted, body.reason, body.confirm_loss),
    )
    return await _governed(services, wanted, position)


@_policies.post("/{id_}/proposals/{number}/diff")
async def diff(
    id_: str, number: Number, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Differing:
    """What a proposal changes, for those who may approve it; counts per user stop at 10,000."""
    wanted = id_of(id_)
    active, proposal = await services.store.run(
        context, lambda s: commands.proposed(s, guard, wanted, number)
    )
    old, new = await services.policies.with_change(named(wanted), proposal.text)

    def measured() -> Changes:
        with services.pool.connection() as connection:
            return changes(connection, old, new, context.time)

    found = await asyncio.to_thread(measured)
    lines = unified_diff(
        active.splitlines(),
        proposal.text.splitlines(),
        "in force",
        f"proposal {number}",
        lineterm="",
    )
    return Differing(diff="\n".join(lines), users=found.users, kinds=found.kinds)


@_policies.post("/test")
async def run_tests(
    body: Tested, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Outcome:
    """Run the embedded tests of a text as if it were in force; those of others that fail by it too.

    For those who may propose it.
    """
    guard.require_scope("policy", "propose")
    check_size(guard, body.text)
    document = await services.policies.supposing(lambda _: read_policy(body.text))
    wanted = policy_id(document.policy)
    await services.store.run(context, lambda s: _may_propose(s, guard, wanted))
    found = await services.policies.supposing(lambda in_force: tested(in_force, document))
    return Outcome(passed=not found, failures=[asdict(failure) for failure in found])


router = APIRouter()
router.include_router(_policies)
router.include_router(policy_questions.router)
router.include_router(decisions.router)


async def _may_propose(session: Session, guard: Guard, id_: str) -> None:
    policy = await commands.find_or_begin(session, id_, repeats=False)
    await guard.require(session, policy, "propose")


async def _governed(services: Services, id_: str, position: int) -> Governed:
    in_force = await services.policies.in_force()
    return Governed(id=id_, position=position, unreadable=in_force.unreadable)


def _checks(services: Services) -> PolicyChecks:
    return PolicyChecks(services.policies, services.pool, services.settings)


_TOLD = ("number", "digest", "comment", "confirmed_loss", "reason")


def _step(message: LogMessage) -> dict[str, Any]:
    """An event of a policy without its text."""
    topic, payload = current(message.topic, orjson.loads(message.payload))
    told = {name: payload["data"][name] for name in _TOLD if name in payload["data"]}
    return {
        "position": message.position,
        "what": topic.split(".")[1],
        "by": payload["actor"],
        "at": payload["time"],
        **told,
    }
