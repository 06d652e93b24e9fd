"""What named entities have in common: found by name, changed, archived, shared."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hansard.client import reference
from hansard.client.effect import Flow
from hansard.client.listing import Listed
from hansard.client.operation import S, operation
from hansard.client.results import Entity, Shared
from hansard.formats.ids import new_id

N = TypeVar("N", bound=Entity)
H = TypeVar("H", bound=Shared)


class Resource(Listed[S, N]):
    """Named entities of one kind. Wherever an id is asked for, a name will do."""

    @operation
    def get(self, ref: str, project: str | None = None) -> Flow[N]:
        """The whole entity by id or name. Raises NotFound."""
        id_ = yield from self._id(ref, project)
        return (yield from self._read(id_))

    @operation
    def find(self, name: str, project: str | None = None) -> Flow[N | None]:
        """The entity of this name, or None."""
        project_id = None
        if project is not None:
            project_id = yield from reference.resolve_project(self._session, project)
        found = yield from reference.find(self._session, self.kind, name, project_id)
        return self.result.model_validate(found) if found else None

    @operation
    def update(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Flow[N]:
        """Rename, describe, or replace the tags; what is None stays. Raises Conflict."""
        change = {"name": name, "description": description, "tags": tags}
        body = {field: value for field, value in change.items() if value is not None}
        id_ = yield from self._id(ref)
        yield from self._session.write("PATCH", self._path(id_), body, key=True)
        return (yield from self._read(id_))

    @operation
    def archive(self, ref: str) -> Flow[N]:
        """Hide from lists and close to changes; nothing is deleted. Raises Conflict."""
        return (yield from self._act(ref, "archive", {}))

    @operation
    def restore(self, ref: str) -> Flow[N]:
        """Undo `archive`; give the id, as names of archived entities are not found."""
        return (yield from self._act(ref, "restore", {}))

    def _id(self, ref: str, project: str | None = None) -> Flow[str]:
        project_id = None
        if project is not None:
            project_id = yield from reference.resolve_project(self._session, project)
        return (yield from reference.resolve(self._session, self.kind, ref, project_id))

    def _create(self, fields: Mapping[str, Any]) -> Flow[N]:
        id_ = new_id(self.kind)
        body = {"id": id_, **fields}
        yield from self._session.write("POST", self._path(), body, key=False)
        return (yield from self._read(id_))

    def _act(self, ref: str, action: str, body: Mapping[str, Any]) -> Flow[N]:
        id_ = yield from self._id(ref)
        yield from self._session.write("POST", self._path(id_, action), body, key=True)
        return (yield from self._read(id_))


class Shareable(Resource[S, H]):
    """Named entities whose owners say who else sees them."""

    @operation
    def share(
        self,
        ref: str,
        *,
        visibility: str | None = None,
        groups: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> Flow[H]:
        """Say who may see it besides its owner; what is None stays, the rest is replaced.

        `visibility` is `private`, `project` (its members) or `public`; groups are ids or names,
        users ids. Raises Forbidden, Invalid.
        """
        id_ = yield from self._id(ref)
        before = yield from self._read(id_)
        named = before.groups if groups is None else groups
        body = {
            "visibility": before.visibility if visibility is None else visibility,
            "groups": (yield from self._ids("group", named)),
            "users": (yield from self._ids("user", before.users if users is None else users)),
        }
        yield from self._session.write("PUT", self._path(id_, "sharing"), body, key=True)
        return (yield from self._read(id_))

    @operation
    def unshare(self, ref: str) -> Flow[H]:
        """Make it its owner's alone. Raises Forbidden."""
        id_ = yield from self._id(ref)
        body = {"visibility": "private", "groups": [], "users": []}
        yield from self._session.write("PUT", self._path(id_, "sharing"), body, key=True)
        return (yield from self._read(id_))

    @operation
    def embargo(self, ref: str, until: datetime | timedelta | None) -> Flow[H]:
        """Hide it from all but its owner until a time, or for so long; None lifts the embargo.

        A time without a zone is local. Raises Forbidden.
        """
        time = datetime.now(UTC) + until if isinstance(until, timedelta) else until
        body = {"until": None if time is None else time.astimezone(UTC).isoformat()}
        id_ = yield from self._id(ref)
        yield from self._session.write("PUT", self._path(id_, "embargo"), body, key=True)
        return (yield from self._read(id_))

    def _ids(self, kind: str, refs: Sequence[str]) -> Flow[list[str]]:
        found = []
        for ref in refs:
            found += [(yield from reference.resolve(self._session, kind, ref))]
        return found
