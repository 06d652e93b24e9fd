"""How events change the rows of versions and of the artifacts that hold their bytes."""

from typing import Any

from domain.version import quality_of
from projections.compatibility import compatible_born
from projections.read_event import ReadEvent
from projections.rows import Handler, Row, archived, restored, unshared

_DETAILS: dict[str, Any] = {
    "description": "",
    "tags": {},
    "card": None,
    "metrics": {},
    "parameters": {},
    "input_schema": None,
    "output_schema": None,
    "environment": None,
    "parents": [],
    "data": [],
    "origin_source": None,
    "mode": None,
    "reproducible": None,
    "form": None,
}
"""Columns of a version that its details fill, with what stands there otherwise."""

_VERSION_LATER = (
    *("deleted_reason", "profile", "profile_error", "examples"),
    *("quality", "checks", "check_examples"),
)
_CONTENT = ("artifact", "format", "size")


def _version_born(row: Row, event: ReadEvent) -> None:
    """What a run kept belongs to who asked for the run."""
    data = dict(event.data)
    details, content = data.pop("details"), data["content"] or {}
    row.update(data, archived=False, deleted=False, aliases=[], **unshared("abstraction_owner"))
    row.update({name: details.get(name, value) for name, value in _DETAILS.items()})
    row.update({name: content.get(name) for name in _CONTENT})
    row["quarantined"] = content.get("quarantined", False)
    row.update(dict.fromkeys(_VERSION_LATER))
    compatible_born(row, row["source"]["signature"] if row["source"] else None)
    row["created_by"] = (row["origin"] or {}).get("by", row["created_by"])


def _version_annotated(row: Row, event: ReadEvent) -> None:
    row.update(event.data["changes"])


def _version_deleted(row: Row, event: ReadEvent) -> None:
    row.update(deleted=True, archived=True, deleted_reason=event.data["reason"])


def _version_profiled(row: Row, event: ReadEvent) -> None:
    data = event.data
    row.update(profile=data["profile"], examples=data["examples"], profile_error=data["error"])


def _version_checked(row: Row, event: ReadEvent) -> None:
    data = event.data
    row["quality"] = quality_of(data["passed"], data["blocking"])
    row.update(checks=data["results"], check_examples=data["check_examples"])


def _artifact_born(row: Row, event: ReadEvent) -> None:
    row.update(event.data, version=None, hold=None, retained_until=None, deleted=False)


def _artifact_attached(row: Row, event: ReadEvent) -> None:
    row["version"] = event.data["to"]


def _artifact_held(row: Row, event: ReadEvent) -> None:
    row["hold"] = event.data["reason"]


def _artifact_released(row: Row, event: ReadEvent) -> None:
    row["hold"] = None


def _artifact_retained(row: Row, event: ReadEvent) -> None:
    row["retained_until"] = event.data["until"]


def _artifact_deleted(row: Row, event: ReadEvent) -> None:
    row["deleted"] = True


VERSION_HANDLERS: dict[str, Handler] = {
    "version.published.v3": _version_born,
    "version.archived.v1": archived,
    "version.restored.v1": restored,
    "version.annotated.v1": _version_annotated,
    "version.deleted.v1": _version_deleted,
    "version.profiled.v1": _version_profiled,
    "version.checked.v1": _version_checked,
}
ARTIFACT_HANDLERS: dict[str, Handler] = {
    "artifact.committed.v1": _artifact_born,
    "artifact.attached.v1": _artifact_attached,
    "artifact.held.v1": _artifact_held,
    "artifact.released.v1": _artifact_released,
    "artifact.retained.v1": _artifact_retained,
    "artifact.deleted.v1": _artifact_deleted,
}
