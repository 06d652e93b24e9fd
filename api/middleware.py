"""Around every request: its id, a bound on the body, the policies used, a log line, counters."""

import re
import time
import uuid
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from hansard.formats.shipment import MAX_SHIPMENT_BYTES

MAX_BODY_BYTES = 1 << 20
MAX_NAMES_BYTES = 2 << 20
MAX_UPLOAD_BYTES = 64 << 20
MAX_PACK_BYTES = 40 << 20
_UPLOADS = re.compile(r"/v1/bundles")
_PACKS = re.compile(r"/v1/uploads/[^/]+/packs")
_NAMES = re.compile(r"/v1/uploads/[^/]+/missing|/v1/artifacts/[^/]+/get")
_FILES = re.compile(r"/v1/files/[0-9a-f]{64}")  # streamed to disk, bounded by the disk
_FRAMES = re.compile(r"/v1/runs/[^/]+/frames")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

REQUESTS = Counter("hansard_http_requests", "HTTP requests", ["method", "route", "status"])
SECONDS = Histogram("hansard_http_request_seconds", "Time to answer", ["method", "route"])

_log = structlog.get_logger(__name__)


class _TooLarge(HTTPException):
    """The body exceeded its bound while it was read; FastAPI hides any other kind of error."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"a body at this address has at most {limit} bytes")


class RequestMiddleware:
    """Pure ASGI, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.request_id = _request_id(request)
        structlog.contextvars.bind_contextvars(request_id=request.state.request_id)
        started, status = time.perf_counter(), 500
        limit = _limit(request.url.path)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request.state.request_id
                if policies := getattr(request.state, "policies", None):
                    headers["Hansard-Policies"] = policies
            await send(message)

        try:
            if limit is not None and int(request.headers.get("content-length") or 0) > limit:
                raise _TooLarge(limit)
            if _has_nul(scope):
                detail = "the address contains NUL"
                await problem(request, 422, "invalid", detail)(scope, receive, send_on)
                return
            await self._app(scope, _bounded(receive, limit), send_on)
        except _TooLarge as error:
            await problem(request, 413, "too-large", error.detail)(scope, receive, send_on)
        finally:
            _record(scope, request, status, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("request_id")


def _has_nul(scope: Scope) -> bool:
    """No text in PostgreSQL can hold NUL, so nothing can be found at such an address."""
    return "\0" in scope["path"] or b"%00" in scope["query_string"]


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _limit(path: str) -> int | None:
    if _FILES.fullmatch(path):
        return None
    if _PACKS.fullmatch(path):
        return MAX_PACK_BYTES
    if _FRAMES.fullmatch(path):
        return MAX_SHIPMENT_BYTES
    if _NAMES.fullmatch(path):
        return MAX_NAMES_BYTES
    return MAX_UPLOAD_BYTES if _UPLOADS.fullmatch(path) else MAX_BODY_BYTES


def _bounded(receive: Receive, limit: int | None) -> Receive:
    seen = 0

    async def receive_on() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if limit is not None and seen > limit:
            raise _TooLarge(limit)
        return message

    return receive_on


def _record(scope: Scope, request: Request, status: int, seconds: float) -> None:
    route: Any = scope.get("route")
    path = getattr(route, "path", "unmatched")
    REQUESTS.labels(request.method, path, status).inc()
    SECONDS.labels(request.method, path).observe(seconds)
    _log.info(
        "request_answered",
        method=request.method,
        route=path,
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )
