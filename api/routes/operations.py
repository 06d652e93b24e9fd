"""Health, readiness and metrics, for whoever runs the platform."""

import psycopg
import structlog
from fastapi import APIRouter, Response, status
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool

from api.answer import Answer
from api.dependencies import ServicesOf
from api.services import Services
from infra.event_log.errors import LogUnavailable

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(services: ServicesOf) -> Answer:
    """The record can be read and written, the read models queried, and the policies read."""
    checks = {
        "event_log": services.nats.is_connected,
        "read_models": await run_in_threadpool(_reads, services),
        "policies": services.nats.is_connected and await _decides(services),
        "nodes": len(await services.nodes.present()) if services.nats.is_connected else 0,
    }
    ready = all(checks[name] for name in ("event_log", "read_models", "policies"))
    code = status.HTTP_200_OK if ready else status.HTTP_503_SERVICE_UNAVAILABLE
    return Answer({"ready": ready, **checks}, code)


@router.get("/metrics")
def metrics() -> Response:
    """Counters for Prometheus; they name routes, never entities or people."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _decides(services: Services) -> bool:
    """Whether the active policies can be read; while not, next to nothing is permitted."""
    try:
        return (await services.policies.in_force()).broken is None
    except LogUnavailable as error:
        _log.warning("policies_not_ready", error=type(error).__name__)
        return False


def _reads(services: Services) -> bool:
    try:
        with services.pool.connection(timeout=2) as connection:
            services.positions.read(connection)
    except psycopg.Error as error:
        _log.warning("read_models_not_ready", error=type(error).__name__)
        return False
    return True
