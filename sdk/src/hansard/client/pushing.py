"""Pushing a folder of code: pack it, and make it the newest version under its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hansard.client import reference
from hansard.client.effect import Flow, Request, Work
from hansard.client.results import Pushed
from hansard.client.session import Session
from hansard.client_errors import Conflict
from hansard.formats.bundle import Bundle, pack
from hansard.formats.ids import new_id

_ID_KIND = {"executor": "executor", "model": "model", "dataset_loader": "loader"}


def push(
    session: Session,
    folder: Path,
    project: str | None,
    name: str | None,
    on_progress: Callable[[int, int], None] | None,
) -> Flow[Pushed]:
    """The version that the folder's content is now, a new one unless it is the latest already."""
    bundle: Bundle = yield Work(partial(pack, folder, name=name))
    kind = _ID_KIND[bundle.manifest.kind]
    project_id = yield from reference.resolve_project(session, project)
    abstraction = yield from find_or_create(session, kind, bundle.manifest.name, project_id)
    version = yield from _latest(session, abstraction)
    if version is not None and version["source"]["bundle"] == bundle.digest:
        created = False
    else:
        created = True
        receipt = yield from _upload(session, bundle, on_progress)
        place = (kind, abstraction["id"])
        version = yield from _publish(session, place, bundle.digest, receipt)
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


def _latest(session: Session, abstraction: Any) -> Flow[Any | None]:
    if abstraction["latest"] is None:
        return None
    return (yield from session.get(f"/v1/versions/{abstraction['latest']}"))


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


def _publish(session: Session, place: tuple[str, str], digest: str, receipt: str) -> Flow[Any]:
    id_ = new_id("version")
    kind, abstraction_id = place
    path = f"/v1/{reference.PATHS[kind]}/{abstraction_id}/versions"
    body = {"id": id_, "bundle": digest, "receipt": receipt}
    yield from session.write("POST", path, body, key=False)
    return (yield from session.get(f"/v1/versions/{id_}"))
