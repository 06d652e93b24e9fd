"""What client operations ask of the outside world, as data.

An operation is a generator (a flow) that yields effects and is sent their outcomes, so the same
code runs under a blocking and under an asynchronous sender, and in tests under neither.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

R = TypeVar("R")


class Sink(Protocol):
    """Takes the body of a successful answer piece by piece."""

    def restart(self) -> None:
        """Forget what was written: a new answer begins."""

    def write(self, data: bytes) -> None:
        """Take the next piece."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Outcome: a Reply. Raises Unreachable.

    `settled` reads see the caller's own writes. `on_progress` is told the bytes sent so far; a
    `sink` receives the body of a success, which the Reply then leaves out.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    settled: bool = False
    on_progress: Callable[[int], None] | None = None
    sink: Sink | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Sleep. Outcome: None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Slow local work, kept off an event loop. Outcome: what the call returns."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Open:
    """Start a streamed answer, closing an earlier one. Outcome: a Reply, its content empty on 200.

    Raises Unreachable.
    """

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """The next bytes of the open stream; empty at its end. Raises Unreachable when it is cut."""


@dataclass(frozen=True, slots=True)
class Emit(Generic[R]):
    """Hand an item to whoever iterates. Outcome: None."""

    item: R


Effect: TypeAlias = Request | Pause | Work | Open | Read
Flow: TypeAlias = Generator[Effect, Any, R]
"""An operation with a result."""

Emission: TypeAlias = Generator[Effect | Emit[R], Any, None]
"""An operation with many results."""
