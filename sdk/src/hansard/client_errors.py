"""What the client raises, without the cost of importing the client.

HansardError
├── NotConfigured    no server address or no token is known
├── Unreachable      the server does not answer, or the connection was cut for too long
├── Corrupt          content does not have the digest it was asked for by
└── Refused          the server said no: a problem (RFC 9457)
    ├── Unauthenticated
    ├── Forbidden
    ├── NotFound
    ├── Conflict
    ├── Invalid
    └── Unavailable  the server cannot do it now
"""

from collections.abc import Mapping
from typing import Any


class HansardError(Exception):
    """Anything that goes wrong between the client and the platform, in one sentence."""


class NotConfigured(HansardError):
    """No server address or no token is known."""


class Unreachable(HansardError):
    """The server does not answer, or the connection was cut for too long."""


class Corrupt(HansardError):
    """Content does not have the digest it was asked for by; nothing of it is kept."""


class Refused(HansardError):
    """The server said no: a stable `code`, the HTTP `status`, and the problem's other members."""

    def __init__(
        self,
        detail: str,
        *,
        code: str = "refused",
        status: int = 400,
        members: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.members = dict(members or {})
        self.retry_after_s = retry_after_s


class Unauthenticated(Refused):
    """The token is not valid."""


class Forbidden(Refused):
    """Not for this caller."""


class NotFound(Refused):
    """Nothing there that the caller may see."""


class Conflict(Refused):
    """Not possible in the entity's present state, or the name is taken."""


class Invalid(Refused):
    """The request makes no sense as it is; the message says what and where."""


class Unavailable(Refused):
    """The server cannot do it now: try again later."""


_BY_STATUS: Mapping[int, type[Refused]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    422: Invalid,
    429: Unavailable,
}
_FIRST_SERVER_ERROR = 500
_PREFIX = "urn:hansard:problem:"


def refusal(status: int, problem: Mapping[str, Any], retry_after_s: float | None) -> Refused:
    """The error for a problem+json body, or for whatever a proxy answered instead."""
    kind = Unavailable if status >= _FIRST_SERVER_ERROR else _BY_STATUS.get(status, Refused)
    detail = str(problem.get("detail") or f"the server answered with status {status}")
    return kind(
        detail,
        code=str(problem.get("type", "http")).removeprefix(_PREFIX),
        status=status,
        members=problem,
        retry_after_s=retry_after_s,
    )
