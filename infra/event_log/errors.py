"""What can go wrong with the log, in the library's own error classes.

PersistenceError
├── VersionConflict   (IntegrityError)    another writer took this version first
├── LogUnavailable    (OperationalError)  the broker did not answer in time
├── StorageFull       (OperationalError)  the broker, or its disk, refuses to store more
└── AppendTooLarge    (ProgrammingError)  more events than one atomic batch can hold
"""

from eventsourcing.persistence import IntegrityError, OperationalError, ProgrammingError


class VersionConflict(IntegrityError):
    """An event with this aggregate id and version is already in the log."""


class LogUnavailable(OperationalError):
    """The broker did not answer before the deadline; the outcome of a write is unknown."""


class StorageFull(OperationalError):
    """The log has no room for more; nothing was stored."""


class AppendTooLarge(ProgrammingError):
    """An append holds more events than one atomic batch can carry."""
