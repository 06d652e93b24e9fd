"""Who asks: the attributes of every subject, and the custom ones that policies declare."""

from collections.abc import Iterable
from typing import Any

from domain.group import Group
from domain.role import projects_by_role
from domain.user import User
from policies.document import PolicyDocument
from policies.errors import PolicyError
from policies.schema import Attribute, JsonPath, Schema, Type, column

SUBJECT = Schema(
    "subject",
    "account",
    {
        "id": column(Type.STR, "id"),
        "active": column(Type.BOOL, "enabled"),
        "admin": column(Type.BOOL, "admin"),
        "service": column(Type.BOOL, "service"),
        "groups": column(Type.SET, "groups"),
        "viewer_of": column(Type.SET, "viewer_of"),
        "contributor_of": column(Type.SET, "contributor_of"),
        "manager_of": column(Type.SET, "manager_of"),
    },
)
"""`r.sub`: what every subject has."""


def subject_values(user: User, groups: Iterable[Group]) -> dict[str, Any]:
    """What policies may ask of a subject: custom attributes, and what follows from memberships.

    `groups` are those the user is in; archived ones count for nothing.
    """
    present = [group for group in groups if not group.archived]
    return {
        **user.attributes,
        "id": user.id,
        "active": user.enabled,
        "admin": user.is_administrator,
        "service": user.service,
        "groups": sorted(group.id for group in present),
        **projects_by_role(user.roles, *(group.roles for group in present))._asdict(),
    }


def with_declared(document: PolicyDocument) -> Schema:
    """The subject's schema with the attributes that a policy declares. Raises PolicyError."""
    for name in document.subject.keys() & SUBJECT.attributes.keys():
        raise PolicyError(f"`{name}` is an attribute of every subject already", "subject")
    declared = {
        name: Attribute(Type(type_), JsonPath("attributes", (name,)), nullable=True)
        for name, type_ in document.subject.items()
    }
    return Schema(SUBJECT.kind, SUBJECT.table, {**SUBJECT.attributes, **declared})
