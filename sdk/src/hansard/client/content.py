"""Content in and out: publishing files as a version of a model or dataset, and fetching them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, TypeVar

from hansard.artifacts.assembling import Assembled, local_files, named_files
from hansard.artifacts.link import Link
from hansard.artifacts.transfer import (
    Cached,
    Choose,
    Progress,
    fetch,
    fetch_into,
    read_files,
    send,
)
from hansard.artifacts.uploading import Committed
from hansard.client import reference
from hansard.client.content_results import Pulled, StoredFile
from hansard.client.effect import Flow, Work
from hansard.client.pushing import find_or_create
from hansard.client.results import Pushed, Version
from hansard.client.session import Session
from hansard.client_errors import Invalid, NotFound
from hansard.formats.ids import new_id
from hansard.formats.objects import File

R = TypeVar("R")

Linked: TypeAlias = Callable[[], Link]
"""Makes a connection for bulk data."""

Files: TypeAlias = str | Path | Mapping[str, str | Path]
"""A folder, a file, or files by their paths in the version."""

_MAX_HINTS = 16


class Details(TypedDict, total=False):
    """What may be said of a version; None says nothing. `parents` and `data` are references."""

    description: str | None
    tags: Mapping[str, str] | None
    card: str | None
    metrics: Mapping[str, float] | None
    parameters: Mapping[str, Any] | None
    parents: Sequence[str]
    data: Sequence[str]
    input_schema: Mapping[str, Any] | None
    output_schema: Mapping[str, Any] | None
    environment: Any


@dataclass(frozen=True, slots=True)
class Publication:
    """What somebody wants to be the next version, and what they say of it.

    `details` are those of `Details`, and what the platform notes besides.
    """

    kind: str
    name: str
    files: Mapping[str, str | Path]
    project: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    aliases: Sequence[str] = ()
    quarantine: bool = False
    remember: bool = True
    on_progress: Progress | None = None


def files_of(given: Files) -> dict[str, str]:
    """Local files by their paths in a version.

    Raises OSError for links, special files and empty folders, BundleError for a path that is not
    accepted.
    """
    if not isinstance(given, Mapping):
        return local_files(Path(given))
    if not given:
        raise Invalid("there are no files to push", code="invalid")
    return named_files(given)


def publish(session: Session, linked: Linked, wish: Publication) -> Flow[Pushed]:
    """The version that the files are now: a new one, unless the latest is the same in all."""
    project = yield from reference.resolve_project(session, wish.project)
    details = yield from _details(session, wish, project)
    options = {"remember": wish.remember, "pickles": wish.quarantine}
    assembled: Assembled = yield Work(partial(read_files, wish.files, wish.on_progress, **options))
    holder = yield from find_or_create(session, wish.kind, wish.name, project)
    latest = yield from _latest(session, holder)
    if latest is not None and _is(latest, assembled, details):
        version = yield from _named(session, holder, latest, wish.aliases)
        return Pushed.model_validate({**version, "name": holder["name"], "created": False})
    like = yield from _like(session, latest, details)
    sending = partial(_send, assembled, holder["id"], like, wish)
    committed: Committed = yield over(linked, sending)
    session.position = max(session.position, committed.position)
    id_ = new_id("version")
    body = {"id": id_, "artifact": committed.id, "aliases": list(wish.aliases), **details}
    path = f"/v1/{reference.PATHS[wish.kind]}/{holder['id']}/versions"
    yield from session.write("POST", path, body, key=False)
    version = yield from session.get(f"/v1/versions/{id_}")
    told = {"name": holder["name"], "created": True, "sent": committed.sent}
    return Pushed.model_validate({**version, **told})


def over(linked: Linked, call: Callable[[Link], R]) -> Work:
    """Bulk data over a connection of its own, as one piece of work."""

    def work() -> R:
        with closing(linked()) as link:
            return call(link)

    return Work(work)


def cached(
    session: Session,
    linked: Linked,
    row: Mapping[str, Any],
    choose: Choose | None = None,
    on_progress: Progress | None = None,
    *,
    verify: bool = False,
) -> Flow[Cached]:
    """The chosen files of a version in this machine's cache. Raises NotFound, Corrupt."""
    artifact, root = artifact_of(row)
    call = partial(
        fetch, artifact=artifact, root=root, choose=choose, told=on_progress, verify=verify
    )
    found: Cached = yield over(linked, call)
    return found


def pull(
    session: Session,
    linked: Linked,
    row: Mapping[str, Any],
    folder: Path,
    on_progress: Progress | None = None,
) -> Flow[Pulled]:
    """All files of a version in a new folder, checked.

    Raises FileExistsError, NotFound, Corrupt.
    """
    artifact, root = artifact_of(row)
    call = partial(fetch_into, artifact=artifact, root=root, folder=folder, told=on_progress)
    layout = yield over(linked, call)
    version = Version.model_validate(row)
    return Pulled(version=version, folder=str(folder), files=tuple(map(stored, layout.files)))


def artifact_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """The artifact of a version and its root. Raises NotFound where there is none to be read."""
    content = row.get("content")
    if content is None or row.get("deleted"):
        why = "is code only"
        if row.get("deleted"):
            why = f"was deleted ({row.get('deleted_reason')})"
        elif "content" in row.get("masked", ()):
            why = "has content that is masked for you"
        raise NotFound(f"version {row['number']} {why}", code="not-found", status=404)
    return content["artifact"], content["root"]


def stored(file: File) -> StoredFile:
    """A file of a layout as the client answers it."""
    return StoredFile(path=file.path, size=file.size, digest=file.digest.hex())


def _send(
    assembled: Assembled, to: str, like: Sequence[str], wish: Publication, link: Link
) -> Committed:
    return send(link, assembled, to, like, wish.on_progress, quarantine=wish.quarantine)


def _details(session: Session, wish: Publication, project: str) -> Flow[dict[str, Any]]:
    """What is said, without what is not, and with ids of versions for references."""
    found = {name: value for name, value in wish.details.items() if value is not None}
    for name, kinds in (("parents", (wish.kind,)), ("data", ("dataset",))):
        refs = found.pop(name, None) or ()
        ids = []
        for ref in refs:
            row = yield from reference.version_row(session, kinds, ref, project)
            ids.append(row["id"])
        if ids:
            found[name] = ids
    return found


def _latest(session: Session, holder: Mapping[str, Any]) -> Flow[Any | None]:
    if holder["latest"] is None:
        return None
    return (yield from session.get(f"/v1/versions/{holder['latest']}"))


def _is(version: Mapping[str, Any], assembled: Assembled, details: Mapping[str, Any]) -> bool:
    """Whether a version has this content, and all this is said of it already."""
    content = version.get("content") or {}
    if content.get("root") != assembled.root.hex() or version.get("deleted"):
        return False
    return all(version.get(name) == value for name, value in details.items())


def _named(
    session: Session, holder: Mapping[str, Any], version: Mapping[str, Any], aliases: Sequence[str]
) -> Flow[Any]:
    """The version once it has these aliases."""
    if set(aliases) <= set(version.get("aliases") or ()):
        return version
    path = f"/v1/{reference.PATHS[version['kind']]}/{holder['id']}/aliases"
    body = {"aliases": dict.fromkeys(aliases, version["number"])}
    yield from session.write("PUT", path, body, key=True)
    return (yield from session.get(f"/v1/versions/{version['id']}"))


def _like(
    session: Session, latest: Mapping[str, Any] | None, details: Mapping[str, Any]
) -> Flow[list[str]]:
    """Artifacts that may hold much of the same: of the latest version, and of the parents."""
    rows = [latest] if latest is not None else []
    for id_ in details.get("parents", ())[:_MAX_HINTS]:
        rows += [(yield from session.get(f"/v1/versions/{id_}"))]
    found = [content["artifact"] for row in rows if (content := row.get("content"))]
    return list(dict.fromkeys(found))[:_MAX_HINTS]
