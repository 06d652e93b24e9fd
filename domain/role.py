"""Roles in projects: what a user or a group may be there, and what follows from several of them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from domain.aggregate import Aggregate
from domain.errors import Conflict, Invalid
from domain.text import checked_id

MAX_ROLES = 500


class Role(StrEnum):
    """What a member may be in a project; each includes those before it."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    MANAGER = "manager"


class ProjectsByRole(NamedTuple):
    """Sorted project ids by the least role held there; each list includes the next."""

    viewer_of: list[str]
    contributor_of: list[str]
    manager_of: list[str]


class RoleHolder(Protocol):
    """A user or a group."""

    roles: dict[str, str]


class RoleGranted(Aggregate.Event):
    """A role in a project, in place of any other there."""

    project: str
    role: str

    def apply(self, aggregate: RoleHolder) -> None:
        """Take the role."""
        aggregate.roles[self.project] = self.role


class RoleRevoked(Aggregate.Event):
    """No role in the project any more."""

    project: str

    def apply(self, aggregate: RoleHolder) -> None:
        """Drop the role."""
        aggregate.roles.pop(self.project, None)


def checked_role(role: str) -> Role:
    """The role of this name. Raises Invalid."""
    try:
        return Role(role)
    except ValueError:
        raise Invalid(f"{role!r} is not one of {', '.join(Role)}", field="role") from None


def is_new_grant(roles: Mapping[str, str], project: str, role: str) -> bool:
    """Whether a grant would change these roles. Raises Invalid, and Conflict when there are 500."""
    checked_role(role)
    if checked_id(project, "project") not in roles and len(roles) >= MAX_ROLES:
        raise Conflict(f"nobody holds roles in more than {MAX_ROLES} projects", project=project)
    return roles.get(project) != role


def projects_by_role(*roles: Mapping[str, str]) -> ProjectsByRole:
    """Where somebody who holds all these roles (project to role) is what; the highest counts."""
    held = [(project, role) for mapping in roles for project, role in mapping.items()]
    contributing = (Role.CONTRIBUTOR, Role.MANAGER)
    return ProjectsByRole(
        sorted({project for project, _ in held}),
        sorted({project for project, role in held if role in contributing}),
        sorted({project for project, role in held if role == Role.MANAGER}),
    )
