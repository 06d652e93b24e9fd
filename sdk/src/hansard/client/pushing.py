"""Pushing a folder of code: pack it, and make it the newest version unless it is one already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hansard.client import reference
from hansard.client.downloading import sources
from hansard.client.effect import Flow, Request, Work
from hansard.client.provenance import provenance
from hansard.client.results import Pushed, Version
from hansard.client.session import Session
from hansard.client_errors import Conflict
from hansard.formats.archive import decode
from hansard.formats.bundle import Base, Bundle, pack
from hansard.formats.code import pack_code
from hansard.formats.ids import new_id
from hansard.formats.project import Project, read_project

_ID_KIND = {"executor": "executor", "model": "model", "dataset_loader": "loader"}
_README = "README.md"
_MAX_CARD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Push:
    """What to push, and what to say of the version: `force` makes one of what is there already.

    `as_code` packs the folder, whatever it holds, for runs of commands.
    """

    folder: Path
    project: str | None = None
    name: str | None = None
    force: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str] = ()
    on_progress: Callable[[int, int], None] | None = None
    as_code: bool = False


def push(session: Session, asked: Push) -> Flow[Pushed]:
    """The version that the folder's content is: a new one unless it is a version already."""
    project_id = yield from reference.resolve_project(session, asked.project)
    bundle = yield from _packed(session, asked, project_id)
    kind = _ID_KIND[bundle.manifest.kind]
    abstraction = yield from find_or_create(session, kind, bundle.manifest.name, project_id)
    place = f"/v1/{reference.PATHS[kind]}/{abstraction['id']}/versions"
    version = None if asked.force else (yield from _published(session, place, bundle.digest))
    created = version is None
    if version is None:
        said = yield Work(partial(_details, asked, bundle))
        receipt = yield from _upload(session, bundle, asked.on_progress)
        body = {"bundle": bundle.digest, "receipt": receipt, **said}
        version = yield from _publish(session, place, body)
    return Pushed.model_validate({**version, "name": abstraction["name"], "created": created})


def find_or_create(session: Session, kind: str, name: str, project: str) -> Flow[Any]:
    """The entity of this name, made if it is not there; whoever else makes it meanwhile."""
    found = yield from reference.find(session, kind, name, project)
    if found is not None:
        return found
    id_ = new_id(kind)
    body = {"id": id_, "name": name, "project": project}
    path = f"/v1/{reference.PATHS[kind]}"
    try:
        yield from session.write("POST", path, body, key=False)
    except Conflict as error:
        found = yield from reference.find(session, kind, name, project)
        if found is None:  # taken by one that is archived, or that the read model does not show yet
            raise error
        return found
    return (yield from session.get(f"{path}/{id_}"))


def _packed(session: Session, asked: Push, project: str) -> Flow[Bundle]:
    if asked.as_code:
        bundle: Bundle = yield Work(partial(pack_code, asked.folder, asked.name))
    else:
        base = yield from _base(session, asked.folder, project)
        bundle = yield Work(partial(pack, asked.folder, name=asked.name, base=base))
    return bundle


def _base(session: Session, folder: Path, project: str) -> Flow[Base | None]:
    """The version that a folder's settings say it extends."""
    settings: Project = yield Work(partial(read_project, folder))
    if settings.base is None:
        return None
    row = yield from reference.version_row(session, reference.VERSIONED, settings.base, project)
    version = Version.model_validate(row)
    contents = yield from sources(session, version)
    assert version.source is not None
    return Base(version.id, version.source["bundle"], contents)


def _published(session: Session, place: str, digest: str) -> Flow[Any | None]:
    """The newest version with exactly this content, or None."""
    answer = yield from session.get(place, {"bundle": digest, "limit": 1})
    for item in answer["items"]:
        return (yield from session.get(f"/v1/versions/{item['id']}"))
    return None


def _details(asked: Push, bundle: Bundle) -> dict[str, Any]:
    """What the version says of itself: the folder's README, and where its code comes from."""
    git = provenance(asked.folder)
    card = decode(bundle.data).get(_README, b"").decode(errors="replace")
    said = {
        "description": bundle.manifest.description,
        "card": card if len(card.encode()) <= _MAX_CARD_BYTES and "\0" not in card else "",
        "tags": dict(asked.tags),
        "aliases": list(asked.aliases),
        "origin_source": {"git": git} if git else None,
    }
    return {name: value for name, value in said.items() if value}


def _upload(
    session: Session, bundle: Bundle, on_progress: Callable[[int, int], None] | None
) -> Flow[str]:
    """The receipt that the bundle can be published with."""
    total = len(bundle.data)
    kept = yield from session.ask(
        Request(
            "POST",
            "/v1/bundles",
            headers={"Content-Type": "application/octet-stream"},
            content=bundle.data,
            on_progress=None if on_progress is None else lambda sent: on_progress(sent, total),
        )
    )
    return str(kept["receipt"])


def _publish(session: Session, place: str, body: Mapping[str, Any]) -> Flow[Any]:
    id_ = new_id("version")
    answer = yield from session.write("POST", place, {"id": id_, **body}, key=False)
    version = yield from session.get(f"/v1/versions/{id_}")
    return {**version, "step": answer.get("step")}
