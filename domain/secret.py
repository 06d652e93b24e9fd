"""Secrets: names for values that runs need and nobody is shown; these lie outside the record."""

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.plain_data import holds_text
from domain.sharing import Shareable
from domain.text import checked_id, checked_name, checked_text

MIN_VALUE_CHARS = 4
"""What is shorter cannot be kept out of logs."""
MAX_VALUE_BYTES = 16 * 1024


class Secret(Shareable):
    """A named value of a project. The record has its name and where it is kept, never the value.

    `key` is the random id under which the present value is kept, sealed; it says nothing of it.
    """

    TOPIC = "secret"

    class Created(AggregateCreated):
        """A secret got its name and its first value, which is kept under the key."""

        TOPIC = "secret.created.v1"
        project: str
        name: str
        description: str
        number: int
        key: str

    class Rotated(Aggregate.Event):
        """It has another value from now on, kept under another key."""

        TOPIC = "secret.rotated.v1"
        name: str
        number: int
        key: str

        def apply(self, aggregate: "Secret") -> None:
            """Count it."""
            aggregate.number = self.number
            aggregate.key = self.key

    class Deleted(Aggregate.Event):
        """It is no more, and its value is destroyed."""

        TOPIC = "secret.deleted.v1"
        name: str
        number: int
        key: str

        def apply(self, aggregate: "Secret") -> None:
            """Close it for ever."""
            aggregate.deleted = True
            aggregate.archived = True

    @classmethod
    def create(cls, id_: str, project: str, name: str, key: str, description: str = "") -> "Secret":
        """A new secret whose value is kept under a key. Raises Invalid."""
        return cls._create(
            cls.Created,
            id=checked_id(id_, "secret"),
            project=checked_id(project, "project"),
            name=checked_name(name),
            description=checked_text(description, "description"),
            number=1,
            key=key,
        )

    @event(Created)
    def __init__(self, project: str, name: str, description: str, number: int, key: str) -> None:
        self._begin(name, description, project)
        self.number = number
        self.first_key = key
        self.key = key
        self.deleted = False

    def rotate(self, key: str) -> None:
        """Give it another value, which is kept under this key."""
        self.require_open()
        number = self.number + 1
        self.trigger_event(self.Rotated, name=self.name, number=number, key=key)

    def delete(self) -> None:
        """Close it for ever; the caller destroys the value. Raises Conflict if it was before."""
        self._require_present()
        self.trigger_event(self.Deleted, name=self.name, number=self.number, key=self.key)

    def restore(self) -> None:
        """Undo `archive`; what was deleted stays so."""
        self._require_present()
        super().restore()

    def require_open(self) -> None:
        """Raise Conflict when deleted or archived."""
        self._require_present()
        super().require_open()

    def _require_present(self) -> None:
        if self.deleted:
            raise Conflict("this secret was deleted", id=self.id)


def checked_value(value: str) -> str:
    """A value: text of 4 characters to 16 KiB, no NUL. Raises Invalid, which does not tell it."""
    if not holds_text(value):
        raise Invalid("the value contains NUL or half a character", field="value")
    if len(value.strip()) < MIN_VALUE_CHARS:
        raise Invalid(f"a value has at least {MIN_VALUE_CHARS} characters", field="value")
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise Invalid(f"a value has at most {MAX_VALUE_BYTES} bytes", field="value")
    return value
