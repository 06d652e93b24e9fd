"""Artifacts: bytes in the store, named by one Merkle root, and how long they must stay there."""

import re
from datetime import datetime
from typing import Any

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.moment import checked_moment
from domain.text import checked_id, checked_text

MOST = 2**63 - 1

_ROOT = re.compile(r"[0-9a-f]{64}")
_FORMAT = re.compile(r"[a-z0-9][a-z0-9_.+/-]{0,63}")


class Artifact(Aggregate):
    """Committed bytes. They belong to at most one version, and go when nothing keeps them."""

    TOPIC = "artifact"

    class Committed(AggregateCreated):
        """Bytes were committed to the store under one root; `run` names the run that left them."""

        TOPIC = "artifact.committed.v1"
        project: str
        root: str  # 64 hex digits
        size: int  # raw bytes
        files: int
        format: str
        run: str | None
        quarantined: bool

    class Attached(Aggregate.Event):
        """A version was published with these bytes as its content."""

        TOPIC = "artifact.attached.v1"
        to: str

        def apply(self, aggregate: "Artifact") -> None:
            """Belong to it."""
            aggregate.attached_to = self.to

    class Held(Aggregate.Event):
        """The bytes must stay until the hold is released."""

        TOPIC = "artifact.held.v1"
        reason: str

        def apply(self, aggregate: "Artifact") -> None:
            """Hold them."""
            aggregate.held = self.reason

    class Released(Aggregate.Event):
        """The hold has ended."""

        TOPIC = "artifact.released.v1"
        reason: str

        def apply(self, aggregate: "Artifact") -> None:
            """Let go."""
            aggregate.held = None

    class Retained(Aggregate.Event):
        """The bytes must stay at least until then (ISO 8601 in UTC)."""

        TOPIC = "artifact.retained.v1"
        until: str | None

        def apply(self, aggregate: "Artifact") -> None:
            """Take the time."""
            aggregate.retained_until = datetime.fromisoformat(self.until) if self.until else None

    class Deleted(Aggregate.Event):
        """Nothing needs the bytes any more: the store may drop what nothing else shares."""

        TOPIC = "artifact.deleted.v1"
        reason: str

        def apply(self, aggregate: "Artifact") -> None:
            """End."""
            aggregate.deleted = True

    @classmethod
    def commit(
        cls,
        id_: str,
        *,
        project: str,
        root: str,
        size: int,
        files: int,
        format_: str,
        run: str | None = None,
        quarantined: bool = False,
    ) -> "Artifact":
        """Record what the store holds: `size` in raw bytes. Raises Invalid."""
        return cls._create(
            cls.Committed,
            id=checked_id(id_, "artifact"),
            project=checked_id(project, "project"),
            root=checked_root(root, "root"),
            size=_checked_count(size, "size"),
            files=_checked_count(files, "files"),
            format=_checked_format(format_),
            run=None if run is None else checked_id(run, "run"),
            quarantined=quarantined,
        )

    @event(Committed)
    def __init__(
        self,
        project: str,
        root: str,
        size: int,
        files: int,
        format: str,  # noqa: A002 - the member of the event has this name
        run: str | None,
        quarantined: bool,
    ) -> None:
        self.project = project
        self.root = root
        self.size = size
        self.files = files
        self.format = format
        self.run = run
        self.quarantined = quarantined
        self.attached_to: str | None = None
        self.held: str | None = None
        self.retained_until: datetime | None = None
        self.deleted = False

    @property
    def content(self) -> dict[str, Any]:
        """What a version that is published with these bytes says of them."""
        return {
            "artifact": self.id,
            "root": self.root,
            "size": self.size,
            "files": self.files,
            "format": self.format,
            "quarantined": self.quarantined,
        }

    def attach(self, to: str) -> None:
        """Let the bytes belong to a version. Raises Conflict if they belong to another."""
        self._require_present()
        if self.attached_to == to:
            return
        if self.attached_to is not None:
            raise Conflict("these bytes belong to another version", code="artifact-attached")
        self.trigger_event(self.Attached, to=checked_id(to, "version"))

    def hold(self, reason: str) -> None:
        """Keep the bytes until `release`. Raises Invalid without a reason, and Conflict."""
        self._require_present()
        if self.held is not None:
            raise Conflict(f"held already: {self.held}", code="held", id=self.id)
        self.trigger_event(self.Held, reason=checked_reason(reason))

    def release(self, reason: str) -> None:
        """End a hold. Raises Invalid without a reason, and Conflict where there is none."""
        self._require_present()
        if self.held is None:
            raise Conflict("not held, so there is nothing to release", id=self.id)
        self.trigger_event(self.Released, reason=checked_reason(reason))

    def retain(self, until: datetime | None) -> None:
        """Keep the bytes at least until a time with a zone. Raises Conflict to shorten that."""
        self._require_present()
        text = None if until is None else checked_moment(until, "until")
        if until == self.retained_until:
            return
        if self.retained_until is not None and (until is None or until < self.retained_until):
            raise self._retained(self.retained_until)
        self.trigger_event(self.Retained, until=text)

    def delete(self, reason: str, now: datetime) -> None:
        """Give the bytes up. Raises Conflict while they are held or retained, and Invalid."""
        self._require_present()
        if self.held is not None:
            raise Conflict(f"held: {self.held}", code="held", id=self.id)
        if self.retained_until is not None and self.retained_until > now:
            raise self._retained(self.retained_until)
        self.trigger_event(self.Deleted, reason=checked_reason(reason))

    def _require_present(self) -> None:
        if self.deleted:
            raise Conflict("these bytes were deleted", code="artifact-deleted", id=self.id)

    def _retained(self, until: datetime) -> Conflict:
        text = until.isoformat()
        return Conflict(f"these bytes are kept until {text}", code="retained", until=text)


def checked_content(content: dict[str, Any]) -> dict[str, Any]:
    """What a version says of its bytes, as `Artifact.content` answers it. Raises Invalid."""
    members = {"artifact", "root", "size", "files", "format", "quarantined"}
    if content.keys() != members:
        raise Invalid(f"`content` has the members {', '.join(sorted(members))}", field="content")
    if not isinstance(content["quarantined"], bool):
        raise Invalid("`quarantined` is true or false", field="content.quarantined")
    checked_id(content["artifact"], "artifact")
    checked_root(content["root"], "content.root")
    _checked_count(content["size"], "content.size")
    _checked_count(content["files"], "content.files")
    _checked_format(content["format"])
    return content


def checked_root(root: str, field: str) -> str:
    """A digest of 64 lower-case hex digits. Raises Invalid."""
    if not _ROOT.fullmatch(root):
        raise Invalid(f"`{field}` is 64 lower-case hex digits", field=field)
    return root


def checked_reason(reason: str) -> str:
    """Text that says something. Raises Invalid."""
    if not reason.strip():
        raise Invalid("say why: `reason` is empty", field="reason")
    return checked_text(reason, "reason")


def _checked_count(count: Any, field: str) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST:
        raise Invalid(f"`{field}` is a whole number of 0 to {MOST}", field=field)
    return count


def _checked_format(format_: str) -> str:
    if not _FORMAT.fullmatch(format_):
        raise Invalid(
            f"{format_!r} is not a format: lower-case letters, digits and _ . + / -", field="format"
        )
    return format_
