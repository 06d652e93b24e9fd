"""The part of questions about policies that the record answers; nothing is written."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from api.access.guard import Guard, missing
from api.commands.entities import require_present
from domain.aggregate import Aggregate
from domain.errors import Forbidden, Invalid
from domain.text import kind_of
from domain.user import User
from infra.event_store import Session
from policies.access import Access, Listing
from policies.cases import Failure
from policies.compiled import compiled_once
from policies.document import PolicyDocument, read_policy
from policies.formula import Formula
from policies.pdp import PolicySet
from policies.questions import (
    Difference,
    able,
    as_shown,
    check_action,
    decisive_action,
    difference,
    explained,
    mentioned,
    new_failures,
    who_is_able,
)
from policies.schema import Facts
from projections.access.facts import CLASSES, subject_values
from projections.access.in_force import InForce

_NEEDED = ("attributes", "roles")
_MAX_TEXT = 16 * 1024


@dataclass(frozen=True, slots=True)
class WhoCan:
    """Of whom it is asked, and which of them could."""

    people: Listing
    subjects: Formula
    binding: list[str]  # what a cursor belongs to


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would differ, and which of it the caller may be shown."""

    listing: Listing
    difference: Difference


@dataclass(frozen=True, slots=True)
class Supposed:
    """What policies may ask of a subject, as it is and as it would be; what is asked about."""

    before: dict[str, Any]
    after: dict[str, Any]
    kind: str
    action: str


@dataclass(frozen=True, slots=True)
class HypotheticalUser:
    """What somebody might become; None stays."""

    attributes: dict[str, Any] | None
    groups: list[str] | None
    roles: dict[str, str] | None


async def explain(
    session: Session, guard: Guard, subject: str | None, action: str, entity: str
) -> dict[str, Any]:
    """The decision on an entity as it is, with what each rule says; `action` is what decides.

    Raises NotFound, Forbidden and Invalid.
    """
    facts = await _seen(session, guard, entity)
    kind = kind_of(entity)
    check_action(kind, action)
    access = await _access(session, guard, subject)
    action = decisive_action(access, kind, action, facts)
    decided = access.ruling(kind, action, facts)
    masked = guard.access.masked(kind, facts)
    return {
        "action": action,
        "permitted": decided.permitted,
        "policy": decided.policy,
        "rule": decided.rule,
        "because": decided.because,
        "rules": [asdict(answer) for answer in explained(access, kind, action, facts, masked)],
        "policy_set": access.policies.digest,
    }


async def who_can(session: Session, guard: Guard, action: str, entity: str) -> WhoCan:
    """Which subjects could do something to an entity. Raises NotFound and Invalid."""
    facts = await _seen(session, guard, entity)
    kind = kind_of(entity)
    check_action(kind, action)
    access = guard.access
    for field in mentioned(able(access.policies, kind, action)) & access.masked(kind, facts):
        raise Forbidden(f"`{field}`, which this depends on, is masked for you", code="masked")
    people = access.listing("user")
    return WhoCan(
        people,
        as_shown(who_is_able(access, kind, action, facts), people.masks),
        [access.subject_id, access.policies.digest],
    )


def check_size(guard: Guard, text: str) -> None:
    """Raise Invalid for what takes long to compile, unless an administrator asks."""
    if not guard.access.subject["admin"] and len(text.encode(errors="replace")) > _MAX_TEXT:
        raise Invalid(f"only administrators try texts of more than {_MAX_TEXT} bytes", field="text")


async def suppose(
    session: Session,
    guard: Guard,
    subject: str | None,
    become: HypotheticalUser | None,
    kind: str,
    action: str,
) -> Supposed:
    """What a supposition is about. Raises NotFound, Forbidden and Invalid."""
    guard.require_scope(kind, "read")
    check_action(kind, action)
    user = await _known_user(session, guard, subject)
    before = await subject_values(session, user)
    if become is not None:
        await _change(session, guard, user, become)
    return Supposed(before, await subject_values(session, user), kind, action)


def what_if(in_force: InForce, guard: Guard, supposed: Supposed, text: str | None) -> WhatIf:
    """What differs between two subjects, and between the policies with and without a text.

    Only what decides the question is compiled, and no function is made. Raises PolicyError.
    """
    kind, action = supposed.kind, supposed.action
    old = new = in_force.policies
    if text is not None:
        document, only = read_policy(text), {(kind, "read"), (kind, action)}
        _, new = in_force.changed(document.policy, document, only, compiled_once)
    now = guard.access.env["now"]
    assert isinstance(now, datetime)
    before, after = _of(old, supposed.before, now), _of(new, supposed.after, now)
    return WhatIf(guard.access.listing(kind), difference(before, after, kind, action))


def tested(in_force: InForce, document: PolicyDocument) -> list[Failure]:
    """The embedded tests that fail with a policy in force and do not now. Raises PolicyError."""
    old, new = in_force.changed(document.policy, document, compile_=compiled_once)
    return new_failures(document.policy, old, new)


def _of(policies: PolicySet, values: dict[str, Any], now: datetime) -> Access:
    return Access(policies, policies.subject.facts(values), now)


async def _seen(session: Session, guard: Guard, entity: str) -> Facts:
    """What policies see of an entity that the caller may read. Raises NotFound."""
    kind = CLASSES.get(kind_of(entity), Aggregate)
    found = await session.find(kind, entity, repeats=False)
    if found is None or kind is Aggregate:
        raise missing(entity)
    return await guard.require(session, found, "read")


async def _access(session: Session, guard: Guard, subject: str | None) -> Access:
    """The rights of the caller, or of somebody else whose attributes the caller may see."""
    if subject is None or subject == guard.access.subject_id:
        return guard.access
    user = await _known_user(session, guard, subject)
    now = guard.access.env["now"]
    assert isinstance(now, datetime)
    return _of(guard.access.policies, await subject_values(session, user), now)


async def _known_user(session: Session, guard: Guard, subject: str | None) -> User:
    """The caller, or a user whose attributes the caller may see. Raises NotFound and Forbidden."""
    own = guard.access.subject_id
    if subject is None or subject == own:
        return await session.load(User, own, repeats=False)
    user = await guard.load(session, User, subject, repeats=False)
    facts = await guard.require(session, user, "read")
    if guard.access.masked("user", facts) & set(_NEEDED):
        raise Forbidden("you may not see the attributes of this user", code="masked")
    return user


async def _change(session: Session, guard: Guard, user: User, become: HypotheticalUser) -> None:
    """Make the user what they might become, in memory only. Raises Invalid and NotFound."""
    if become.attributes is not None:
        user.change_attributes(become.attributes)
    if become.groups is not None:
        await require_present(session, guard, become.groups)
        for group in user.groups:
            user.leave(group)
        for group in become.groups:
            user.join(group)
    if become.roles is not None:
        for project in list(user.roles):
            user.revoke_role(project)
        for project, role in become.roles.items():
            user.grant_role(project, role)
