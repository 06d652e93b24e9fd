"""Names for people, ids for machines: finds what a reference means.

A reference is an id (`model-<uuid>`, `version-<uuid>`) or a name; `NAME:3` is version 3 of NAME and
`NAME@champion` the version with that alias. Names in a slot may say what they are: `model/NAME` or
`loader/NAME`; where anything may stand, so they must.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    "dataset": "datasets",
    "version": "versions",
    "run": "runs",
    "user": "users",
    "group": "groups",
    "token": "tokens",
    "invitation": "invitations",
    "policy": "policies",
    "decision": "decisions",
    "secret": "secrets",
}
"""Kind of entity to its place under /v1."""

_UNNAMED = ("version", "user", "token", "invitation", "decision")

VERSIONED = ("executor", "model", "loader", "dataset")
"""Kinds of what has versions."""

DEFAULT_PROJECT = "default"
_ID = re.compile(rf"({'|'.join(PATHS)})-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
_POLICY_ID = re.compile(r"policy-[a-z][a-z0-9-]{0,62}")
_NUMBERED = re.compile(r"(.+):([1-9][0-9]{0,8})")
_ALIASED = re.compile(r"(.+)@([A-Za-z0-9_][A-Za-z0-9._-]{0,63})")
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


def resolve_node(session: Session, reference: str) -> Flow[str]:
    """Like `resolve_any`; `model/NAME:3` and `dataset/NAME@prod` are versions too."""
    kind, slash, name = reference.partition("/")
    if not (slash and kind in VERSIONED):
        return (yield from resolve_any(session, reference))
    return (yield from resolve_version(session, (kind,), name))


def resolve_project(session: Session, reference: str | None) -> Flow[str]:
    """The id of a project; the default one without a reference. Raises NotFound."""
    return (yield from resolve(session, "project", reference or DEFAULT_PROJECT))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version as somebody names it: of an abstraction, the latest one unless `query` says which.

    `said` is that part of the name, for messages.
    """

    kind: str
    abstraction: Mapping[str, Any]
    query: Mapping[str, Any] | None = None
    said: str = ""


def resolve_version(
    session: Session, kinds: Sequence[str], reference: str, project: str | None = None
) -> Flow[str]:
    """The id of a version, or of an abstraction of one of `kinds` for its latest version.

    Raises NotFound, and Invalid where a name fits more than one.
    """
    if id_kind(reference) is not None:
        return reference
    wanted = yield from _wanted(session, kinds, reference, project)
    if wanted.query is None:
        return str(wanted.abstraction["id"])
    return str((yield from _listed(session, wanted))["id"])


def version_row(
    session: Session, kinds: Sequence[str], reference: str, project: str | None = None
) -> Flow[dict[str, Any]]:
    """What lists show of a version, at least: by id, name, `NAME:3` or `NAME@alias`.

    Raises NotFound, also for a name without versions, and Invalid.
    """
    kind = id_kind(reference)
    if kind == "version":
        return (yield from _whole(session, reference))
    if kind is not None:
        if kind not in kinds:
            raise Invalid(f"`{reference}` is a {kind}, not a {' or '.join(kinds)}")
        abstraction = yield from session.get(f"/v1/{PATHS[kind]}/{reference}")
        return (yield from _latest(session, abstraction))
    wanted = yield from _wanted(session, kinds, reference, project)
    if wanted.query is None:
        return (yield from _latest(session, wanted.abstraction))
    return (yield from _listed(session, wanted))


def _wanted(
    session: Session, kinds: Sequence[str], reference: str, project: str | None
) -> Flow[Wanted]:
    front, slash, name = reference.partition("/")
    if slash and front in kinds:
        kinds, reference = [front], name
    for name, query, said in _readings(reference):
        found = []
        for kind in kinds:
            item = yield from find(session, kind, name, project)
            found += [Wanted(kind, item, query, said)] if item else []
        if len(found) > 1:
            which = " or ".join(f"{each.kind}/{name}" for each in found)
            raise Invalid(f"`{name}` names several things: say {which}")
        if found:
            return found[0]
    name, *_ = next(_readings(reference))
    raise missing(" or ".join(kinds), name)


def _readings(reference: str) -> Iterator[tuple[str, Mapping[str, Any] | None, str]]:
    """What a reference may mean: name, which version of it, and how that was said."""
    if numbered := _NUMBERED.fullmatch(reference):
        yield numbered[1], {"number": int(numbered[2])}, numbered[2]
        return
    if aliased := _ALIASED.fullmatch(reference):
        yield aliased[1], {"alias": aliased[2]}, f"`{aliased[2]}`"
    yield reference, None, ""  # a name may have an @ in it too


def _listed(session: Session, wanted: Wanted) -> Flow[dict[str, Any]]:
    abstraction = wanted.abstraction
    path = f"/v1/{PATHS[wanted.kind]}/{abstraction['id']}/versions"
    query = {**(wanted.query or {}), "archived": True, "limit": 1}
    answer = yield from session.get(path, query)
    for item in answer["items"]:
        found: dict[str, Any] = item
        return found
    raise NotFound(
        f"`{abstraction['name']}` has {abstraction['versions']} version(s), no {wanted.said}",
        code="not-found",
        status=404,
    )


def _latest(session: Session, abstraction: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    if abstraction["latest"] is None:
        raise missing("version of", abstraction["name"])
    return (yield from _whole(session, abstraction["latest"]))


def _whole(session: Session, id_: str) -> Flow[dict[str, Any]]:
    found: dict[str, Any] = yield from session.get(f"/v1/versions/{id_}")
    return found


def _ambiguous(kind: str, name: str, ids: Sequence[str]) -> Invalid:
    count = len(ids) if len(ids) <= _SHOWN_IDS else f"more than {_SHOWN_IDS}"
    shown = ", ".join(ids[:_SHOWN_IDS])
    return Invalid(f"{count} {kind}s are called `{name}` ({shown}): say which by id")


def missing(kind: str, name: str) -> NotFound:
    """The error for a name that nothing has."""
    return NotFound(f"there is no {kind} `{name}`", code="not-found", status=404)
