"""The queue: where runs stand and why they wait; the pools: what there is and what is used."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.dependencies import (
    AccessOf,
    ContextOf,
    ReadOf,
    ServicesOf,
    answer_one,
    answer_page,
    page_request,
    permit_of,
)
from api.routes.bodies import PageOf
from domain.run_events import WAITING
from infra.nodes import Node
from policies.access import Access, Permit
from policies.kinds import SCHEMAS
from projections import catalogue
from projections.page import PageRequest

router = APIRouter(tags=["queue"])

_WAITS = " or ".join(f"status == '{status}'" for status in sorted(WAITING))
_UNKNOWN = {"pool": None, "position": None, "reason": None, "starts_at": None}


def _waiting_page(
    services: ServicesOf,
    access: AccessOf,
    context: ContextOf,
    connection: ReadOf,
    request: Annotated[PageRequest, Depends(page_request(catalogue.QUEUE))],
) -> dict[str, Any]:
    filter_ = f"({request.filter}) and ({_WAITS})" if request.filter else _WAITS
    asked = replace(request, filter=filter_)
    return answer_page(services, connection, catalogue.QUEUE, asked, access, context)


@router.get("/queue", response_model=PageOf, response_model_exclude_unset=True)
async def queue(
    services: ServicesOf, page: Annotated[dict[str, Any], Depends(_waiting_page)]
) -> dict[str, Any]:
    """Runs that wait, in order of request: position in the pool, why, and an estimated start.

    The estimate supposes that all runs take the wall time they declare and that nothing is added.
    """
    told = await services.queue.ask([item["id"] for item in page["items"]])
    items = [{**item, **_wait(told, item["id"])} for item in page["items"]]
    return {**page, "items": items}


def _run_row(
    permit: Annotated[Permit, Depends(permit_of(catalogue.RUNS))], connection: ReadOf
) -> dict[str, Any]:
    return answer_one(connection, catalogue.RUNS, permit)


@router.get("/runs/{id_}/queue")
async def wait(
    id_: str, services: ServicesOf, row: Annotated[dict[str, Any], Depends(_run_row)]
) -> dict[str, Any]:
    """Why one run waits; all but the status is null for a run that does not."""
    waits = row["status"] in WAITING
    found = _wait(await services.queue.ask([id_]), id_) if waits else _UNKNOWN
    return {"id": id_, "status": row["status"], **found}


@router.get("/pools")
async def pools(services: ServicesOf, access: AccessOf) -> dict[str, Any]:
    """Pools by name: nodes with labels, what they have and what is used, and whether you may."""
    told = await services.queue.ask([])
    found: dict[str, list[dict[str, Any]]] = {}
    for node in await services.nodes.present():
        found.setdefault(node.pool, []).append(_node(node, told["nodes"].get(node.name)))
    return {
        "items": [
            {"name": pool, "may_use": _may_use(access, pool), "nodes": nodes}
            for pool, nodes in sorted(found.items())
        ]
    }


def _wait(told: dict[str, Any], run: str) -> dict[str, Any]:
    """What is told of a run; one that was asked for this moment is not known yet."""
    found = told["waits"].get(run)
    if found is None:
        return _UNKNOWN
    at = found["starts_at"]
    starts_at = None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
    return {**found, "starts_at": starts_at}


def _node(node: Node, used: dict[str, int] | None) -> dict[str, Any]:
    has = node.resources
    return {
        "name": node.name,
        "labels": node.labels,
        "capacity": {"cpus": has.cpus, "gpus": has.gpus, "memory_mb": has.memory_mb},
        "used": used,
    }


def _may_use(access: Access, pool: str) -> bool:
    least = {"cpus": 1, "gpus": 0, "memory_mb": 0, "wall_time_s": 1, "priority": 0}
    facts = SCHEMAS["allocation"].facts({**least, "project": "", "pool": pool})
    return access.permits("allocation", "allocate", facts)
