"""Secrets: values that runs are given by name, and that nobody is shown again."""

from hansard.client import reference
from hansard.client.effect import Flow
from hansard.client.operation import S, operation
from hansard.client.resource import Shareable
from hansard.client.results import Shared
from hansard.secret import Secret


class NamedSecret(Shared):
    """A secret without its value; `number` says which value it is, counted from 1."""

    project: str
    number: int
    deleted: bool = False


class Secrets(Shareable[S, NamedSecret]):
    """Secrets of projects. A run takes one as `{"secret": NAME}`."""

    kind = "secret"
    result = NamedSecret

    @operation
    def set(
        self,
        name: str,
        value: str | Secret,
        *,
        project: str | None = None,
        description: str | None = None,
    ) -> Flow[NamedSecret]:
        """Keep a value under a name, in place of the one before if there is one.

        It is text of 4 characters to 16 KiB. Raises Invalid, Forbidden.
        """
        text = value.reveal() if isinstance(value, Secret) else value
        project_id = yield from reference.resolve_project(self._session, project)
        found = yield from reference.find(self._session, self.kind, name, project_id)
        if found is None:
            fields = {"name": name, "project": project_id, "value": text}
            return (yield from self._create({**fields, "description": description or ""}))
        path = self._path(found["id"], "value")
        yield from self._session.write("PUT", path, {"value": text}, key=True)
        if description is not None:
            change = {"description": description}
            yield from self._session.write("PATCH", self._path(found["id"]), change, key=True)
        return (yield from self._read(found["id"]))

    @operation
    def delete(self, ref: str, *, project: str | None = None) -> Flow[NamedSecret]:
        """Destroy its value for ever; its name is free again. Raises NotFound, Forbidden."""
        id_ = yield from self._id(ref, project)
        yield from self._session.write("DELETE", self._path(id_), None, key=True)
        return (yield from self._read(id_))
