"""Users, groups and tokens."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from hansard.client import reference
from hansard.client.effect import Emission, Flow
from hansard.client.listing import Listed, pages
from hansard.client.operation import S, iteration, operation
from hansard.client.people_results import Group, IssuedToken, Member, Token, User
from hansard.client.resource import Resource
from hansard.client.session import Session
from hansard.client_errors import HansardError


class Users(Listed[S, User]):
    """People and service accounts: by id, or `me`."""

    kind = "user"
    result = User

    @operation
    def create(
        self,
        name: str,
        mail: str = "",
        *,
        service: bool = False,
        login: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Flow[User]:
        """A new user. Raises Conflict `name-taken` for a login that somebody has."""
        body = {"name": name, "mail": mail, "service": service, "login": login}
        body |= {"attributes": dict(attributes or {})}
        answer = yield from self._session.write("POST", self._path(), body, key=True)
        return (yield from self._read(answer["id"]))

    @operation
    def set_attributes(self, ref: str, attributes: Mapping[str, Any]) -> Flow[User]:
        """Replace all attributes. Raises Conflict `last-administrator`."""
        return (yield from self._put(ref, "attributes", {"attributes": dict(attributes)}))

    @operation
    def disable(self, ref: str) -> Flow[User]:
        """Shut a user out: tokens and password open nothing. Raises Conflict."""
        return (yield from self._act(ref, "disable"))

    @operation
    def enable(self, ref: str) -> Flow[User]:
        """Let a user in again. Raises Conflict."""
        return (yield from self._act(ref, "enable"))

    @operation
    def erase(self, ref: str, reason: str) -> Flow[User]:
        """Make name and mail of a disabled user unreadable for ever, by destroying their key.

        For administrators. `reason` stays in the record. Raises Conflict, Forbidden, Invalid.
        """
        id_ = yield from self._id(ref)
        body = {"reason": reason}
        yield from self._session.write("POST", self._path(id_, "erase"), body, key=True)
        return (yield from self._read(id_))

    @operation
    def set_login(self, ref: str, login: str | None) -> Flow[None]:
        """Give a user another login, or none. Raises Conflict `name-taken`."""
        id_ = yield from self._id(ref)
        yield from self._session.write("PUT", self._path(id_, "login"), {"login": login}, key=True)

    @operation
    def set_password(
        self, ref: str, password: str, current_password: str | None = None
    ) -> Flow[None]:
        """Set a password of 10 to 200 characters; to change one's own, the present one is needed.

        Raises Forbidden, Invalid.
        """
        id_ = yield from self._id(ref)
        body = {"password": password, "current_password": current_password}
        yield from self._session.write("PUT", self._path(id_, "password"), body, key=True)

    @operation
    def grant(self, ref: str, project: str, role: str) -> Flow[User]:
        """Give a user the role `viewer`, `contributor` or `manager` in a project."""
        id_ = yield from self._id(ref)
        yield from set_role(self._session, self._path(id_), project, role)
        return (yield from self._read(id_))

    @operation
    def revoke(self, ref: str, project: str) -> Flow[User]:
        """Take the user's own role in a project away; those of groups stay."""
        id_ = yield from self._id(ref)
        yield from set_role(self._session, self._path(id_), project, None)
        return (yield from self._read(id_))

    def _id(self, ref: str) -> Flow[str]:
        return (yield from reference.resolve(self._session, self.kind, ref))

    def _put(self, ref: str, what: str, body: Mapping[str, Any]) -> Flow[User]:
        id_ = yield from self._id(ref)
        yield from self._session.write("PUT", self._path(id_, what), body, key=True)
        return (yield from self._read(id_))

    def _act(self, ref: str, action: str) -> Flow[User]:
        id_ = yield from self._id(ref)
        yield from self._session.write("POST", self._path(id_, action), None, key=True)
        return (yield from self._read(id_))


class Groups(Resource[S, Group]):
    """Groups of users: what is shared with one, and its roles, hold for its members."""

    kind = "group"
    result = Group

    @operation
    def create(self, name: str, *, description: str = "") -> Flow[Group]:
        """A new group. Raises Conflict `name-taken`."""
        return (yield from self._create({"name": name, "description": description}))

    @iteration
    def members(self, ref: str) -> Emission[Member]:
        """The users that belong to the group, by id."""
        id_ = yield from self._id(ref)
        yield from pages(self._session, self._path(id_, "members"), {}, Member)

    @operation
    def attributes(self, ref: str) -> Flow[dict[str, Any]]:
        """The attributes of the group: its weight, quotas and guaranteed shares among them."""
        id_ = yield from self._id(ref)
        answer = yield from self._session.get(self._path(id_, "attributes"))
        return dict(answer["attributes"])

    @operation
    def set_attributes(self, ref: str, attributes: Mapping[str, Any]) -> Flow[None]:
        """Replace the attributes of the group. Raises Forbidden, Invalid."""
        id_ = yield from self._id(ref)
        body = {"attributes": dict(attributes)}
        yield from self._session.write("PUT", self._path(id_, "attributes"), body, key=True)

    @operation
    def add(self, ref: str, user: str) -> Flow[None]:
        """Take a user into the group. Raises Forbidden."""
        yield from self._set_member("PUT", ref, user)

    @operation
    def remove(self, ref: str, user: str) -> Flow[None]:
        """Take a user out of the group. Raises Forbidden."""
        yield from self._set_member("DELETE", ref, user)

    @operation
    def grant(self, ref: str, project: str, role: str) -> Flow[Group]:
        """Give all members the role `viewer`, `contributor` or `manager` in a project."""
        id_ = yield from self._id(ref)
        yield from set_role(self._session, self._path(id_), project, role)
        return (yield from self._read(id_))

    @operation
    def revoke(self, ref: str, project: str) -> Flow[Group]:
        """Take the group's role in a project away."""
        id_ = yield from self._id(ref)
        yield from set_role(self._session, self._path(id_), project, None)
        return (yield from self._read(id_))

    def _set_member(self, method: str, ref: str, user: str) -> Flow[None]:
        id_ = yield from self._id(ref)
        user_id = yield from reference.resolve(self._session, "user", user)
        path = self._path(id_, "members", user_id)
        yield from self._session.write(method, path, None, key=True)


class Tokens(Listed[S, Token]):
    """Bearer tokens: one's own, and for administrators all."""

    kind = "token"
    result = Token

    @operation
    def issue(
        self,
        user: str = "me",
        *,
        label: str = "",
        scopes: Sequence[str] | None = None,
        expires_in: timedelta | None = None,
    ) -> Flow[IssuedToken]:
        """A new token, for ever where no time is given. Raises Forbidden `scope`.

        `scopes` are of `read`, `write` and `admin`: those of the caller's own token, or fewer.
        """
        id_ = yield from reference.resolve(self._session, "user", user)
        lasts_s = None if expires_in is None else int(expires_in.total_seconds())
        body: dict[str, Any] = {"label": label, "expires_in_s": lasts_s}
        if scopes is not None:
            body["scopes"] = [*scopes]
        path = f"/v1/users/{id_}/tokens"
        answer = yield from self._session.write("POST", path, body, key=True)
        return IssuedToken.model_validate(told_once(answer, "token"))

    @operation
    def revoke(self, ref: str) -> Flow[Token]:
        """Close a token for ever. Raises Conflict."""
        id_ = yield from reference.resolve(self._session, self.kind, ref)
        yield from self._session.write("POST", self._path(id_, "revoke"), None, key=True)
        return (yield from self._read(id_))


def set_role(session: Session, path: str, project: str, role: str | None) -> Flow[None]:
    """Give a role in a project to who stands at the path, or take it away."""
    project_id = yield from reference.resolve_project(session, project)
    place = f"{path}/roles/{project_id}"
    if role is None:
        yield from session.write("DELETE", place, None, key=True)
    else:
        yield from session.write("PUT", place, {"role": role}, key=True)


def told_once(answer: dict[str, Any], member: str) -> dict[str, Any]:
    """The answer, if it has the secret. Raises HansardError where only its repeat arrived."""
    if answer[member] is None:
        raise HansardError(
            f"{answer['id']} was made, but the answer with its secret was lost: revoke it, and "
            "make another"
        )
    return answer
