"""Versions of executors, models, loaders and datasets: code, bytes, and what is known of them."""

from dataclasses import dataclass, field
from typing import Any

from eventsourcing.domain import event

from domain.abstraction import Abstraction
from domain.aggregate import Aggregate, AggregateCreated
from domain.artifact import checked_content, checked_reason, checked_root
from domain.errors import Conflict, Invalid
from domain.text import checked_id, checked_text
from domain.version_details import checked_changes, checked_details, checked_size

MAX_FINDINGS_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Uploaded code: where it is, what it offers, and what it needs installed."""

    bundle: str  # digest of the packed sources
    entry: str  # module:Class
    requirements: list[str]
    lock: str  # digest of the environment lock
    signature: dict[str, Any]  # what domain.signatures reads from the entry class
    base: str | None = None  # the version that it extends
    layers: list[str] = field(default_factory=list)  # digests of bundles below, the lowest first


class Version(Aggregate):
    """One version: code, bytes, or both. These never change; what is said of them can.

    A trained version names its source version, role and run, so lineage needs no look-up.
    """

    TOPIC = "version"

    class Published(AggregateCreated):
        """Code or bytes were uploaded, or a run kept a model it trained."""

        TOPIC = "version.published.v3"
        abstraction: str
        kind: str
        project: str
        number: int
        source: dict[str, Any] | None
        artifacts: list[dict[str, Any]]  # {name, digest, size} of single files
        content: dict[str, Any] | None  # {artifact, root, size, files, format, quarantined}
        origin: dict[str, Any] | None
        details: dict[str, Any]  # see domain.version_details

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

    class Annotated(Aggregate.Event):
        """What is said of the version changed: the new whole value of each detail named."""

        TOPIC = "version.annotated.v1"
        changes: dict[str, Any]

        def apply(self, aggregate: "Version") -> None:
            """Say so."""
            aggregate.details = {**aggregate.details, **self.changes}

    class Deleted(Aggregate.Event):
        """The bytes were given up; the number and what is known of it stay."""

        TOPIC = "version.deleted.v1"
        reason: str

        def apply(self, aggregate: "Version") -> None:
            """End, hidden from lists."""
            aggregate.deleted = True
            aggregate.archived = True

    class Profiled(Aggregate.Event):
        """What a dataset holds was measured; `error` says why it could not be."""

        TOPIC = "version.profiled.v1"
        profile: dict[str, Any]
        examples: dict[str, Any]
        error: str | None

        def apply(self, aggregate: "Version") -> None:
            """Remember that it is done."""
            aggregate.profiled = True

    class Checked(Aggregate.Event):
        """A dataset was held against expectations; if blocking, runs cannot use what failed."""

        TOPIC = "version.checked.v1"
        expectations: str  # SHA-256 of their text
        passed: bool
        blocking: bool
        results: list[dict[str, Any]]
        check_examples: dict[str, Any]

        def apply(self, aggregate: "Version") -> None:
            """Take the outcome."""
            aggregate.expectations = self.expectations
            aggregate.quality = quality_of(self.passed, self.blocking)

    @classmethod
    def of(
        cls,
        abstraction: Abstraction,
        id_: str,
        number: int,
        source: dict[str, Any] | None = None,
        artifacts: list[dict[str, Any]] | None = None,
        origin: dict[str, Any] | None = None,
        *,
        content: dict[str, Any] | None = None,
        details: dict[str, Any] | None = None,
    ) -> "Version":
        """A version of an abstraction under the number it gave. Raises Invalid."""
        if source is None and content is None:
            raise Invalid("a version has code, content or both", field="content")
        return cls._create(
            cls.Published,
            id=checked_id(id_, "version"),
            abstraction=abstraction.id,
            kind=abstraction.kind,
            project=abstraction.project,
            number=number,
            source=source,
            artifacts=artifacts or [],
            content=None if content is None else checked_content(content),
            origin=origin,
            details=checked_details(details or {}),
        )

    @event(Published)
    def __init__(
        self,
        abstraction: str,
        kind: str,
        project: str,
        number: int,
        source: dict[str, Any] | None,
        artifacts: list[dict[str, Any]],
        content: dict[str, Any] | None,
        origin: dict[str, Any] | None,
        details: dict[str, Any],
    ) -> None:
        self.abstraction = abstraction
        self.kind = kind
        self.project = project
        self.number = number
        self.source = source
        self.artifacts = artifacts
        self.content = content
        self.origin = origin
        self.details = details
        self.archived = False
        self.deleted = False
        self.profiled = False
        self.expectations: str | None = None
        self.quality: str | None = None

    @property
    def blocked(self) -> bool:
        """Whether runs cannot use it: it failed expectations that block."""
        return self.quality == "failed"

    @property
    def code(self) -> dict[str, Any]:
        """Its source. Raises Invalid for a version that has bytes alone."""
        if self.source is None:
            raise Invalid(f"version {self.number} of this {self.kind} has no code", id=self.id)
        return self.source

    def archive(self) -> None:
        """Hide from lists."""
        self.require_present()
        if self.archived:
            raise Conflict("archived already", id=self.id)
        self.trigger_event(self.Archived)

    def restore(self) -> None:
        """Undo `archive`."""
        self.require_present()
        if not self.archived:
            raise Conflict("not archived, so there is nothing to restore", id=self.id)
        self.trigger_event(self.Restored)

    def annotate(self, changes: dict[str, Any]) -> None:
        """Replace description, tags, card, metrics or parameters. Raises Invalid and Conflict."""
        self.require_present()
        differing = checked_changes(self.details, changes)
        if differing:
            self.trigger_event(self.Annotated, changes=differing)

    def delete(self, reason: str) -> None:
        """Give the bytes up; the caller deletes the artifact in the same save."""
        self.require_present()
        self.trigger_event(self.Deleted, reason=checked_reason(reason))

    def record_profile(
        self, profile: dict[str, Any], examples: dict[str, Any], error: str | None = None
    ) -> None:
        """Say what a dataset holds, once; 512 KiB in all. Raises Invalid and Conflict."""
        self._require_dataset()
        if self.profiled:
            raise Conflict("this version has a profile already", id=self.id)
        checked_size({"profile": profile, "examples": examples}, "profile", MAX_FINDINGS_BYTES)
        text = None if error is None else checked_text(error, "error")
        self.trigger_event(self.Profiled, profile=profile, examples=examples, error=text)

    def record_check(
        self,
        expectations: str,
        *,
        passed: bool,
        blocking: bool,
        results: list[dict[str, Any]],
        examples: dict[str, Any],
    ) -> None:
        """Say how a dataset met the expectations with this digest; 512 KiB in all.

        Raises Invalid, and Conflict if they are those of the last check.
        """
        self._require_dataset()
        if checked_root(expectations, "expectations") == self.expectations:
            raise Conflict("checked against these expectations already", id=self.id)
        checked_size({"results": results, "examples": examples}, "results", MAX_FINDINGS_BYTES)
        self.trigger_event(
            self.Checked,
            expectations=expectations,
            passed=passed,
            blocking=blocking,
            results=results,
            check_examples=examples,
        )

    def require_present(self) -> None:
        """Raise Conflict when deleted."""
        if self.deleted:
            raise Conflict("this version was deleted", code="version-deleted", id=self.id)

    def _require_dataset(self) -> None:
        self.require_present()
        if self.kind != "dataset":
            raise Invalid(f"only a dataset is profiled and checked, not a {self.kind}", id=self.id)


def quality_of(passed: bool, blocking: bool) -> str:
    """`passed`, `failed` where that blocks runs, or `warned` where it does not."""
    if passed:
        return "passed"
    return "failed" if blocking else "warned"
