"""The part of questions about policies that the record answers; nothing is written."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from api.access.active_policies import ActivePolicies
from api.access.facts import CLASSES, subject_values
from api.access.guard import Guard, missing
from api.commands.entities import require_present
from domain.aggregate import Aggregate
from domain.errors import Forbidden
from domain.text import kind_of
from domain.user import User
from infra.event_store import Session
from policies.access import Access, Listing
from policies.document import read_policy
from policies.formula import Formula
from policies.pdp import PolicySet
from policies.questions import (
    Difference,
    able,
    check_action,
    decisive_action,
    difference,
    explained,
    mentioned,
    who_is_able,
)
from policies.schema import Facts

_NEEDED = ("attributes", "roles")


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
    return WhoCan(
        access.listing("user"),
        who_is_able(access, kind, action, facts),
        [access.subject_id, access.policies.digest],
    )


async def policies_with(active: ActivePolicies, text: str | None) -> tuple[PolicySet, PolicySet]:
    """The policies in force, and with a text among them. Raises PolicyError."""
    if text is None:
        now = await active.current()
        return now, now
    return await active.with_change(read_policy(text).policy, text)


async def what_if(
    session: Session,
    guard: Guard,
    policies: tuple[PolicySet, PolicySet],
    subject: str | None,
    become: HypotheticalUser | None,
    kind: str,
    action: str,
) -> WhatIf:
    """What differs for a subject between two sets of policies, and with other attributes."""
    guard.require_scope(kind, "read")
    check_action(kind, action)
    user = await _known_user(session, guard, subject)
    old, new = policies
    now = guard.access.env["now"]
    assert isinstance(now, datetime)
    before = _of(old, await subject_values(session, user), now)
    if become is not None:
        await _change(session, guard, user, become)
    after = _of(new, await subject_values(session, user), now)
    return WhatIf(guard.access.listing(kind), difference(before, after, kind, action))


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
