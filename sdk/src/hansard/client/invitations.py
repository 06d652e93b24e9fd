"""Invitations: issued, handed on, accepted by users or by people who become users."""

from datetime import timedelta

from hansard.client import reference
from hansard.client.effect import Flow
from hansard.client.listing import Listed
from hansard.client.operation import S, operation
from hansard.client.people import told_once
from hansard.client.people_results import Invitation, IssuedInvitation, Login, User

WEEK = timedelta(days=7)


class Invitations(Listed[S, Invitation]):
    """Invitations to projects and groups."""

    kind = "invitation"
    result = Invitation

    @operation
    def create(
        self,
        project: str | None = None,
        role: str | None = None,
        *,
        group: str | None = None,
        expires_in: timedelta = WEEK,
        uses: int = 1,
        note: str = "",
    ) -> Flow[IssuedInvitation]:
        """Invite to a project with a role, to a group, or both. Raises Forbidden, Invalid."""
        body = {
            "project": (yield from self._resolved("project", project)),
            "role": role,
            "group": (yield from self._resolved("group", group)),
            "expires_in_s": int(expires_in.total_seconds()),
            "uses": uses,
            "note": note,
        }
        answer = yield from self._session.write("POST", self._path(), body, key=True)
        return IssuedInvitation.model_validate(told_once(answer, "secret"))

    @operation
    def revoke(self, ref: str) -> Flow[Invitation]:
        """Close an invitation for ever. Raises Conflict."""
        id_ = yield from reference.resolve(self._session, self.kind, ref)
        yield from self._session.write("POST", self._path(id_, "revoke"), None, key=True)
        return (yield from self._read(id_))

    @operation
    def accept(self, secret: str) -> Flow[User]:
        """Become a member, as the user you are. Raises NotFound for what is not open any more."""
        body = {"secret": secret}
        yield from self._session.write("POST", self._path("accept"), body, key=True)
        answer = yield from self._session.get("/v1/users/me")
        return User.model_validate(answer)

    @operation
    def join(
        self, secret: str, name: str, *, login: str, password: str, mail: str = ""
    ) -> Flow[Login]:
        """Become a user and a member, and speak as that user from now on. It needs no token.

        Raises NotFound, Invalid, and Conflict `name-taken` for a login that somebody has.
        """
        who = {"name": name, "mail": mail, "login": login, "password": password}
        body = {"secret": secret, **who}
        answer = yield from self._session.write("POST", self._path("join"), body, key=False)
        opened = Login.model_validate(answer)
        self._sender.identify(opened.token)
        return opened

    def _resolved(self, kind: str, ref: str | None) -> Flow[str | None]:
        if ref is None:
            return None
        return (yield from reference.resolve(self._session, kind, ref))
