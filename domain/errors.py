"""Why a command is refused.

DomainError
├── Invalid    the request makes no sense, whoever asks
├── NotFound   nothing there that the caller may see
├── Conflict   not in the entity's present state
└── Forbidden  not for this caller
"""

from typing import Any


class DomainError(Exception):
    """A refusal: a stable `code`, a sentence for people, and the facts as keywords."""

    code = "refused"

    def __init__(self, detail: str, *, code: str | None = None, **context: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.context = context


class Invalid(DomainError):
    """The request makes no sense, whoever asks."""

    code = "invalid"


class NotFound(DomainError):
    """Nothing there that the caller may see."""

    code = "not-found"


class Conflict(DomainError):
    """Not possible in the entity's present state."""

    code = "conflict"


class Forbidden(DomainError):
    """Not for this caller."""

    code = "forbidden"
