"""The attributes of entities as policies see them, from the record itself and not from a row."""

from datetime import datetime
from typing import Any

from domain.abstraction import Abstraction
from domain.aggregate import Aggregate
from domain.decision import Decision
from domain.experiment import Experiment
from domain.group import Group
from domain.invitation import Invitation
from domain.policy import Policy
from domain.project import Project
from domain.run import Run
from domain.secret import Secret
from domain.text import kind_of
from domain.token import Token
from domain.user import User
from domain.version import Version
from infra.event_store import Session
from policies import subject
from policies.kinds import SCHEMAS
from policies.schema import Facts

CLASSES: dict[str, type[Aggregate]] = {
    "project": Project,
    "experiment": Experiment,
    "executor": Abstraction,
    "model": Abstraction,
    "loader": Abstraction,
    "dataset": Abstraction,
    "run": Run,
    "version": Version,
    "user": User,
    "group": Group,
    "token": Token,
    "invitation": Invitation,
    "policy": Policy,
    "decision": Decision,
    "secret": Secret,
}
"""Aggregate of each kind that policies govern; an allocation is none."""

_SHARING = ("visibility", "groups", "users", "embargo_until")


async def facts_of(session: Session, aggregate: Aggregate) -> Facts:
    """All attributes of an entity; runs and versions take their sharing from what holds them."""
    raw = {**vars(aggregate), "id": aggregate.id, "created_at": aggregate.created_on}
    raw["owner"] = aggregate.created_by or session.actor
    match aggregate:
        case Run():
            raw |= await _of_holder(session, Experiment, aggregate.experiment, "experiment_owner")
            raw["status"] = str(aggregate.status)
        case Version():
            raw["owner"] = (aggregate.origin or {}).get("by", raw["owner"])
            content = aggregate.content or {}
            raw["format"] = content.get("format")
            raw["quarantined"] = content.get("quarantined", False)
            raw |= await _of_holder(
                session, Abstraction, aggregate.abstraction, "abstraction_owner"
            )
        case User():
            values = await subject_values(session, aggregate)
            raw |= {name: values[name] for name in ("active", "admin", "service", "groups")}
            raw["projects"] = values["viewer_of"]
        case Decision():
            raw["subject"] = aggregate.subject["id"]
        case Token():
            raw["account"] = aggregate.user
        case _:
            pass
    return SCHEMAS[kind_of(aggregate.id)].facts(raw)


async def subject_values(session: Session, user: User) -> dict[str, Any]:
    """What policies may ask of a subject: custom attributes, and what follows from memberships."""
    groups = [await session.find(Group, id_, repeats=False) for id_ in user.groups]
    return subject.subject_values(user, [group for group in groups if group is not None])


async def _of_holder(
    session: Session, kind: type[Experiment | Abstraction], id_: str, owner: str
) -> dict[str, Any]:
    """The sharing of an experiment or abstraction, and its owner; private where there is none."""
    holder = await session.find(kind, id_, repeats=False)
    if holder is None:
        return {
            **dict.fromkeys(_SHARING),
            "visibility": "private",
            "groups": [],
            "users": [],
            owner: "",
        }
    found: dict[str, Any] = {name: getattr(holder, name) for name in _SHARING}
    return {**found, owner: holder.created_by or session.actor}


def plain(facts: Facts) -> dict[str, Any]:
    """Facts as JSON, for the record of a decision."""
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return sorted(value) if isinstance(value, frozenset) else value
