"""Named things with numbered versions: executors, models, loaders and datasets."""

import re
from collections.abc import Mapping
from typing import Any

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Invalid
from domain.sharing import Shareable
from domain.text import checked_id, checked_name, checked_text
from domain.version_details import checked_long_text

KINDS = ("executor", "model", "loader", "dataset")
MAX_ALIASES = 50
MAX_EXPECTATIONS_BYTES = 64 * 1024

_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class Abstraction(Shareable):
    """A named executor, model, loader or dataset with numbered versions."""

    TOPIC = "abstraction"

    class Registered(AggregateCreated):
        """A name was given to what will be uploaded under it."""

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

    class Aliased(Aggregate.Event):
        """Names for numbers of versions moved together; null takes a name away."""

        TOPIC = "abstraction.aliased.v1"
        aliases: dict[str, int | None]

        def apply(self, aggregate: "Abstraction") -> None:
            """Move them."""
            moved = {**aggregate.aliases, **self.aliases}
            aggregate.aliases = {name: n for name, n in moved.items() if n is not None}

    class Expected(Aggregate.Event):
        """What versions of a dataset are held against, as YAML; null expects nothing."""

        TOPIC = "abstraction.expected.v1"
        text: str | None

        def apply(self, aggregate: "Abstraction") -> None:
            """Expect it."""
            aggregate.expectations = self.text

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
        self.aliases: dict[str, int] = {}
        self.expectations: str | None = None

    def add_version(self, version_id: str) -> int:
        """Give the next number to a version, and answer it.

        Also while archived: what a run keeps must not be lost. Whoever publishes asks first.
        """
        number = len(self.versions) + 1
        self.trigger_event(self.VersionAdded, number=number, version_id=version_id)
        return number

    def alias(self, aliases: Mapping[str, int | None]) -> None:
        """Move names to numbers of versions, all at once; None takes a name away. Raises Invalid.

        The caller has seen to it that none of these versions is deleted.
        """
        self.require_open()
        for name, number in aliases.items():
            _check_alias(name)
            if number is not None:
                self._check_number(name, number)
        moved = {name: n for name, n in aliases.items() if n != self.aliases.get(name)}
        left = self.aliases.keys() - moved.keys()
        count = len(left) + sum(number is not None for number in moved.values())
        if count > MAX_ALIASES:
            raise Invalid(f"{count} aliases, at most {MAX_ALIASES}", field="aliases")
        if moved:
            self.trigger_event(self.Aliased, aliases=moved)

    def expect(self, text: str | None) -> None:
        """Set what versions of a dataset are held against; the caller has read the YAML.

        Raises Invalid for anything but a dataset, and beyond 64 KiB.
        """
        self.require_open()
        if self.kind != "dataset":
            raise Invalid(f"only a dataset has expectations, not a {self.kind}", id=self.id)
        if text is not None:
            checked_long_text(text, "expectations", MAX_EXPECTATIONS_BYTES)
        if text != self.expectations:
            self.trigger_event(self.Expected, text=text)

    def _check_number(self, name: str, number: Any) -> None:
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or not 1 <= number <= len(self.versions):
            raise Invalid(f"there is no version {number}", field=f"aliases.{name}")


def _check_alias(name: str) -> None:
    if not _ALIAS.fullmatch(name) or name.isdigit() or name.lower() == "latest":
        raise Invalid(
            f"{name!r} is not an alias: 1 to 64 letters, digits and . _ -, neither a number "
            "nor `latest`",
            field="aliases",
        )
