"""What the client answers about people: users, groups, tokens, sessions, invitations."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from hansard.client.results import Entity, Maskable, Result


class User(Maskable):
    """A person or service account. Lists leave out mail; who is `erased` has no name any more."""

    id: str
    name: str | None = None
    mail: str | None = None
    attributes: dict[str, Any] | None = None
    enabled: bool
    erased: bool = False
    admin: bool = False
    service: bool = False
    groups: tuple[str, ...] = ()
    roles: dict[str, str] | None = None
    scopes: tuple[str, ...] | None = None
    created_at: datetime | None = None


class Group(Entity):
    """Users with something in common; `roles` are by project."""

    roles: dict[str, str] | None = None


class Member(Result):
    """Who belongs to a project, with a role, or to a group."""

    id: str
    kind: Literal["user", "group"]
    role: str | None = None


class Token(Maskable):
    """A token, without its secret."""

    id: str
    account: str
    label: str
    scopes: tuple[str, ...]
    purpose: str
    expires_at: datetime | None
    revoked: bool
    created_by: str
    created_at: datetime


class IssuedToken(Result):
    """A new token; the server tells it this once."""

    id: str
    token: str = Field(repr=False)


class Login(Result):
    """An open session; the server tells its token this once."""

    id: str
    user: str
    token: str = Field(repr=False)
    expires_at: datetime


class Invitation(Maskable):
    """An invitation to a project with a role, to a group, or both, without its secret."""

    id: str
    project: str | None
    role: str | None
    group: str | None
    expires_at: datetime
    uses: int
    accepted: tuple[str, ...]
    revoked: bool
    note: str
    created_by: str
    created_at: datetime


class IssuedInvitation(Result):
    """A new invitation; whoever has the secret can accept it. The server tells it this once."""

    id: str
    secret: str = Field(repr=False)
