"""Names for people, ids for machines: finds what a reference means.

A reference is an id (`model-<uuid>`, `version-<uuid>`) or a name; `NAME:3` is version 3 of NAME.
Names in a slot may say what they are: `model/NAME` or `loader/NAME`; where anything may stand, so
they must.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hansard.client.effect import Flow
from hansard.client.session import Session
from hansard.client_errors import Invalid, NotFound

PATHS: Mapping[str, str] = {
    "project": "projects",
    "experiment": "experiments",
    "executor": "executors",
    "model": "models",
    "loader": "dataset-loaders",
    "version": "versions",
    "run": "runs",
    "user": "users",
    "group": "groups",
    "token": "tokens",
    "invitation": "invitations",
    "policy": "policies",
    "decision": "decisions",
}
"""Kind of entity to its place under /v1."""

_UNNAMED = ("version", "user", "token", "invitation", "decision")

DEFAULT_PROJECT = "default"
_ID = re.compile(rf"({'|'.join(PATHS)})-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
_POLICY_ID = re.compile(r"policy-[a-z][a-z0-9-]{0,62}")
_NUMBERED = re.compile(r"(.+):([1-9][0-9]{0,8})")
_SHOWN_IDS = 5


def id_kind(reference: str) -> str | None:
    """The kind in an id; None if the reference is a name."""
    match = _ID.fullmatch(reference)
    return match[1] if match else None


def find(session: Session, kind: str, name: str, project: str | None = None) -> Flow[Any | None]:
    """The entity with this name, of runs the newest, or None. Raises Invalid if there are several.

    Names can be held twice: in two projects, or where their first holder was not to be seen.
    """
    query = {"name": name, "project": project, "limit": _SHOWN_IDS + 1}
    answer = yield from session.get(f"/v1/{PATHS[kind]}", query)
    items = answer["items"]
    if len(items) > 1 and kind != "run":
        raise _ambiguous(kind, name, [item["id"] for item in items])
    return items[0] if items else None


def resolve(session: Session, kind: str, reference: str, project: str | None = None) -> Flow[str]:
    """The id that a reference of this kind means. Raises NotFound."""
    if id_kind(reference) is not None:
        return reference
    if kind == "user" and reference == "me":
        answer = yield from session.get("/v1/users/me")
        return str(answer["id"])
    if kind == "policy":
        return f"policy-{reference.removeprefix('policy-')}"
    if kind in _UNNAMED:
        raise Invalid(f"`{reference}` is no id of a {kind}, and a {kind} has no other name")
    found = yield from find(session, kind, reference, project)
    if found is None:
        raise missing(kind, reference)
    found_id: str = found["id"]
    return found_id


def resolve_any(session: Session, reference: str) -> Flow[str]:
    """The id that `model/NAME`, `experiment/NAME` and the like mean; an id is one already.

    Raises Invalid, NotFound.
    """
    if id_kind(reference) is not None or _POLICY_ID.fullmatch(reference):
        return reference
    kind, slash, name = reference.partition("/")
    if not slash or kind not in PATHS:
        kinds = ", ".join(kind for kind in PATHS if kind not in _UNNAMED)
        raise Invalid(f"`{reference}` is neither an id nor KIND/NAME with one of {kinds} for KIND")
    return (yield from resolve(session, kind, name))


def resolve_project(session: Session, reference: str | None) -> Flow[str]:
    """The id of a project; the default one without a reference. Raises NotFound."""
    return (yield from resolve(session, "project", reference or DEFAULT_PROJECT))


def resolve_version(
    session: Session, kinds: Sequence[str], reference: str, project: str | None = None
) -> Flow[str]:
    """The id of a version, or of an abstraction of one of `kinds` for its latest version.

    Raises NotFound, and Invalid where a name fits more than one.
    """
    if id_kind(reference) is not None:
        return reference
    front, slash, name = reference.partition("/")
    if slash and front in kinds:
        kinds, reference = [front], name
    numbered = _NUMBERED.fullmatch(reference)
    name = numbered[1] if numbered else reference
    found = []
    for kind in kinds:
        item = yield from find(session, kind, name, project)
        found += [item] if item else []
    if not found:
        raise missing(" or ".join(kinds), name)
    if len(found) > 1:
        raise Invalid(f"`{name}` names a model and a loader: say model/{name} or loader/{name}")
    abstraction = found[0]
    if numbered:
        return (yield from _numbered(session, abstraction, int(numbered[2])))
    abstraction_id: str = abstraction["id"]
    return abstraction_id


def _numbered(session: Session, abstraction: Mapping[str, Any], number: int) -> Flow[str]:
    path = f"/v1/{PATHS[abstraction['kind']]}/{abstraction['id']}/versions"
    cursor: str | None = None
    while True:
        query = {"limit": 500, "archived": True, "cursor": cursor}
        answer = yield from session.get(path, query)
        for item in answer["items"]:
            if item["number"] == number:
                version_id: str = item["id"]
                return version_id
        cursor = answer["next_cursor"]
        if cursor is None:
            raise NotFound(
                f"`{abstraction['name']}` has {abstraction['versions']} version(s), no {number}",
                code="not-found",
                status=404,
            )


def _ambiguous(kind: str, name: str, ids: Sequence[str]) -> Invalid:
    count = len(ids) if len(ids) <= _SHOWN_IDS else f"more than {_SHOWN_IDS}"
    shown = ", ".join(ids[:_SHOWN_IDS])
    return Invalid(f"{count} {kind}s are called `{name}` ({shown}): say which by id")


def missing(kind: str, name: str) -> NotFound:
    """The error for a name that nothing has."""
    return NotFound(f"there is no {kind} `{name}`", code="not-found", status=404)
