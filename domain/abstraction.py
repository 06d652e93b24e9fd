"""Plug-and-play abstractions and their versions: executors, models and dataset loaders."""

from dataclasses import dataclass
from typing import Any

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.sharing import Shareable
from domain.text import checked_id, checked_name, checked_text

KINDS = ("executor", "model", "loader")


class Abstraction(Shareable):
    """A named executor, model or dataset loader with numbered versions."""

    TOPIC = "abstraction"

    class Registered(AggregateCreated):
        """A name was given to code that will be uploaded under it."""

        TOPIC = "abstraction.registered.v1"
        kind: str
        project: str
        name: str
        description: str

    class VersionAdded(Aggregate.Event):
        """A version got the next number; its content is the version's own aggregate."""

        TOPIC = "abstraction.version_added.v1"
        number: int
        version_id: str

        def apply(self, aggregate: "Abstraction") -> None:
            """Count it."""
            aggregate.versions.append(self.version_id)

    @classmethod
    def register(cls, id_: str, project: str, name: str, description: str = "") -> "Abstraction":
        """Register a name; the kind is the id's. Raises Invalid."""
        kind = id_.partition("-")[0]
        if kind not in KINDS:
            raise Invalid(f"{kind!r} is not one of {', '.join(KINDS)}", field="id")
        return cls._create(
            cls.Registered,
            id=checked_id(id_, kind),
            kind=kind,
            project=checked_id(project, "project"),
            name=checked_name(name),
            description=checked_text(description, "description"),
        )

    @event(Registered)
    def __init__(self, kind: str, project: str, name: str, description: str) -> None:
        self._begin(name, description, project)
        self.kind = kind
        self.versions: list[str] = []

    def add_version(self, version_id: str) -> int:
        """Give the next number to a version, and answer it.

        Also while archived: what a run keeps must not be lost. Whoever publishes asks first.
        """
        number = len(self.versions) + 1
        self.trigger_event(self.VersionAdded, number=number, version_id=version_id)
        return number


@dataclass(frozen=True, slots=True)
class Source:
    """Uploaded code: where it is, what it offers, and what it needs installed."""

    bundle: str  # digest of the packed sources
    entry: str  # module:Class
    requirements: list[str]
    lock: str  # digest of the environment lock
    signature: dict[str, Any]  # what domain.signature reads from the entry class


class Version(Aggregate):
    """One immutable version: code, and for a trained model the artifacts a run left.

    A trained version names its source version, role and run, so lineage needs no look-up.
    """

    TOPIC = "version"

    class Published(AggregateCreated):
        """Code was uploaded, or a run kept a model it trained."""

        TOPIC = "version.published.v1"
        abstraction: str
        kind: str
        project: str
        number: int
        source: dict[str, Any]
        artifacts: list[dict[str, Any]]
        origin: dict[str, Any] | None

    class Archived(Aggregate.Event):
        """Hidden from lists, kept for ever."""

        TOPIC = "version.archived.v1"

        def apply(self, aggregate: "Version") -> None:
            """Close it."""
            aggregate.archived = True

    class Restored(Aggregate.Event):
        """Back from the archive."""

        TOPIC = "version.restored.v1"

        def apply(self, aggregate: "Version") -> None:
            """Open it."""
            aggregate.archived = False

    @classmethod
    def of(
        cls,
        abstraction: Abstraction,
        id_: str,
        number: int,
        source: dict[str, Any],
        artifacts: list[dict[str, Any]] | None = None,
        origin: dict[str, Any] | None = None,
    ) -> "Version":
        """A version of an abstraction under the number it gave."""
        return cls._create(
            cls.Published,
            id=checked_id(id_, "version"),
            abstraction=abstraction.id,
            kind=abstraction.kind,
            project=abstraction.project,
            number=number,
            source=source,
            artifacts=artifacts or [],
            origin=origin,
        )

    @event(Published)
    def __init__(
        self,
        abstraction: str,
        kind: str,
        project: str,
        number: int,
        source: dict[str, Any],
        artifacts: list[dict[str, Any]],
        origin: dict[str, Any] | None,
    ) -> None:
        self.abstraction = abstraction
        self.kind = kind
        self.project = project
        self.number = number
        self.source = source
        self.artifacts = artifacts
        self.origin = origin
        self.archived = False

    def archive(self) -> None:
        """Hide from lists."""
        if self.archived:
            raise Conflict("archived already", id=self.id)
        self.trigger_event(self.Archived)

    def restore(self) -> None:
        """Undo `archive`."""
        if not self.archived:
            raise Conflict("not archived, so there is nothing to restore", id=self.id)
        self.trigger_event(self.Restored)
