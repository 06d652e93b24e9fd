"""Errors as RFC 9457 problem details: the only place that knows HTTP status codes of refusals."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.answer import Answer
from domain.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from hansard.formats.problems import BundleError
from infra.artifacts.storage import StorageFailed
from infra.environments.locks import LockFailed
from infra.event_log.errors import LogUnavailable, StorageFull
from infra.event_store import AlreadyDone
from infra.secret_vault import KeyUnusable

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

CODES: Mapping[str, str] = {
    "invalid": "The request makes no sense as it is.",
    "not-found": "There is nothing there, or nothing that the caller may see.",
    "busy": "Others keep changing this; try again.",
    "conflict": "Not possible in the entity's present state.",
    "forbidden": "Not for this caller.",
    "scope": "The token does not reach so far: `scope` is what it lacks.",
    "unsigned": "No checkpoint covers the event yet; the next is made within a minute.",
    "masked": "The field is masked for this caller: it can neither be seen nor sorted by.",
    "unauthenticated": "A valid bearer token is needed.",
    "login-failed": "No enabled user has this login and this password.",
    "too-many-logins": "Too many failed attempts; `Retry-After` says when to try again.",
    "name-taken": "Another entity of this project and kind has this name.",
    "id-taken": "This id belongs to something else.",
    "last-administrator": "The platform keeps at least one administrator.",
    "invitation-closed": "The invitation is used up, expired, revoked, or was accepted before.",
    "invalid-cursor": "The cursor belongs to another list, sort, filter or user.",
    "invalid-expression": "A condition or filter is refused; `start` and `end` say where.",
    "invalid-policy": "A policy is refused; `where` says which part of it is wrong.",
    "lock-out": "With this change nobody could change the policies any more.",
    "policy-tests-failed": "Embedded tests of policies fail with this change; see `failures`.",
    "unapproved": "Somebody else than its author must approve this first.",
    "loss-unconfirmed": "Users lose access by this change, and nobody has confirmed how many.",
    "invalid-bundle": "The uploaded bundle is refused; `reason` and `where` say why.",
    "requirements": "The requirements cannot be locked.",
    "misfit": "A version does not fit the slot it was put in.",
    "objects-missing": "Objects of the artifact must be sent first: `missing` names them.",
    "bad-object": "What was sent is not what it says it is.",
    "format-refused": "A file is of a kind that is not kept; `files` says which and why.",
    "damaged": "Some of the bytes are missing or damaged; whoever has them can send them again.",
    "quarantined": "These bytes are in quarantine: no run may use them.",
    "inspecting": "There are many files to look into: ask again, it goes on where it was.",
    "artifact-attached": "The bytes belong to another version already.",
    "artifact-deleted": "The bytes were deleted.",
    "not-outside": "Nodes tell of this run: it is in no process of its user.",
    "version-deleted": "The version was deleted; its number and what is known of it stay.",
    "aliased": "Aliases mean this version, `aliases` names them: take them away first.",
    "held": "The bytes are on hold: release them first.",
    "retained": "The bytes must be kept until `until`.",
    "quality": "The data failed its expectations, or has not been checked against them yet.",
    "range": "Nothing of the file lies in the range that was asked for.",
    "too-many": "Too much was asked for at once; `Retry-After` says when to go on.",
    "no-such-resources": "No node could ever run this.",
    "over-quota": "More than a quota or limit allows at any time, whatever else runs.",
    "too-large": "The body is larger than this address takes.",
    "slow": "The rest of the body did not come in time; send it again.",
    "storage-full": "The disk is short of space: reads go on, writes are refused.",
    "unavailable": "A server behind the API does not answer; try again.",
    "behind": "The read model has not reached `min_position` yet; try again.",
    "internal": "Our fault; the request id finds it in the logs.",
    "http": "Refused by the HTTP layer.",
}
"""Every problem code and what it means; docs/problems.md is tested to list them."""

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Forbidden, 403),
    (Invalid, 422),
    (DomainError, 400),
)
_STATUS_OF_CODE = {
    "unauthenticated": 401,
    "login-failed": 401,
    "too-large": 413,
    "too-many-logins": 429,
    "too-many": 429,
    "range": 416,
    "behind": 503,
    "slow": 408,
}


def problem(
    request: Request, status: int, code: str, detail: str, context: Mapping[str, Any] | None = None
) -> Response:
    """A problem response; context can add members but not replace the core ones."""
    body = {
        **(context or {}),
        "type": f"urn:hansard:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", None),
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if "retry_after_s" in body:
        headers["Retry-After"] = str(body["retry_after_s"])
    return Answer(body, status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Register a handler for everything a route may raise."""
    app.add_exception_handler(DomainError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(BundleError, _bundle_refused)
    app.add_exception_handler(LockFailed, _not_locked)
    app.add_exception_handler(AlreadyDone, _done_before)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(StorageFull, _full)
    app.add_exception_handler(StorageFailed, _storage_failed)
    app.add_exception_handler(LogUnavailable, _unavailable)
    app.add_exception_handler(KeyUnusable, _no_key)
    app.add_exception_handler(psycopg.OperationalError, _unreadable)
    app.add_exception_handler(psycopg.errors.UndefinedTable, _unreadable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    status = _STATUS_OF_CODE.get(error.code) or next(
        status for kind, status in _STATUS if isinstance(error, kind)
    )
    return problem(request, status, error.code, error.detail, error.context)


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in e["loc"]), "what": e["msg"]}
        for e in error.errors()
    ]
    first = errors[0] if errors else {"where": "body", "what": "not valid"}
    detail = f"{first['where']}: {first['what']}"
    return problem(request, 422, "invalid", detail, {"errors": errors})


async def _bundle_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BundleError)
    context = {"reason": error.problem_code, "where": error.where}
    return problem(request, 422, "invalid-bundle", error.detail, context)


async def _not_locked(request: Request, error: Exception) -> Response:
    assert isinstance(error, LockFailed)
    if error.retryable:
        return problem(request, 503, "unavailable", error.detail)
    return problem(request, 422, "requirements", error.detail)


async def _done_before(request: Request, error: Exception) -> Response:
    """A repeat of a command that was carried out: the same success, at its position."""
    assert isinstance(error, AlreadyDone)
    return Answer({"id": error.id, "position": error.position, "repeated": True}, 200)


async def _full(request: Request, error: Exception) -> Response:
    return problem(request, 507, "storage-full", str(error))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody is there any more to be answered: an upload was cut off."""
    return Response(status_code=400)


async def _storage_failed(request: Request, error: Exception) -> Response:
    """The disk or the S3 server; its own words name folders and hosts."""
    _log.error("storage_failed", error=str(error))
    return problem(request, 503, "unavailable", "what keeps the files does not answer; try again")


async def _unavailable(request: Request, error: Exception) -> Response:
    return problem(request, 503, "unavailable", str(error))


async def _no_key(request: Request, error: Exception) -> Response:
    """What is wrong with the file of the key is for the operator."""
    _log.error("key_of_secrets_unusable", why=str(error))
    return problem(request, 503, "unavailable", "secrets cannot be sealed now; try again")


async def _unreadable(request: Request, error: Exception) -> Response:
    """The database is away, or new and not migrated; its own words name hosts and users."""
    _log.warning("read_models_away", error=type(error).__name__)
    return problem(request, 503, "unavailable", "the read models do not answer; try again")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "too-large" if error.status_code == 413 else "http"
    return problem(request, error.status_code, code, str(error.detail))


async def _internal(request: Request, error: Exception) -> Response:
    _log.exception("request_failed", path=request.url.path, exc_info=error)
    return problem(request, 500, "internal", "an error on our side; the request id finds it")
