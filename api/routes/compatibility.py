"""What fits: versions that can fill a slot of an executor, and executors that take a version."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query

from api.dependencies import AccessOf, ReadOf, ServicesOf, page_request, permit_of
from api.routes.bodies import PageOf, Step
from api.services import Services
from domain.errors import NotFound
from domain.signatures.difference import difference
from domain.signatures.shapes import demanded, digest_of
from infra.database import Connection
from policies.access import Permit
from projections import catalogue
from projections.candidates import (
    Asking,
    candidates,
    coded_version,
    executors,
)
from projections.page import Page, PageRequest, Registry

Verdict = Annotated[
    Literal["possible", "fits", "unchecked", "refused"],
    Query(description="`possible` is what fits and what nobody has checked"),
]
Number = Annotated[
    int | None, Query(ge=1, lt=2**31, description="of the version; the newest if not given")
]
_MORE = ("verdict", "number")


class Between(Step):
    """A step, and the numbers of the versions that it lies between."""

    old: int
    new: int


def add_slots(router: APIRouter) -> None:
    """Add what fits into the slots of an executor."""

    @router.get(
        "/{id_}/slots/{slot}/candidates", response_model=PageOf, response_model_exclude_unset=True
    )
    def read_candidates(
        slot: Annotated[str, Path(max_length=200)],
        services: ServicesOf,
        access: AccessOf,
        connection: ReadOf,
        permit: Annotated[Permit, Depends(permit_of(catalogue.EXECUTORS))],
        request: Annotated[PageRequest, Depends(page_request(catalogue.CANDIDATES, *_MORE))],
        verdict: Verdict = "possible",
        number: Number = None,
    ) -> dict[str, Any]:
        """The versions that can fill a slot, each with its verdict and the reasons.

        `fields` are the forms of what a user gives to methods beyond what the role gives.
        """
        listing = access.listing("version")
        executor = coded_version(connection, listing, permit.entity, number)
        if slot not in executor.signature["slots"]:
            raise NotFound(f"the executor has no slot `{slot}`", id=permit.entity)
        demand = digest_of(demanded(executor.signature, slot))
        asking = Asking(request, services.signer, datetime.now(UTC))
        page = candidates(connection, access, asking, demand, _verdicts(verdict))
        return _answer(services, connection, page)


def add_executors(router: APIRouter, registry: Registry) -> None:
    """Add the executors that take a version of a model or a loader."""

    @router.get("/{id_}/executors", response_model=PageOf, response_model_exclude_unset=True)
    def read_executors(
        services: ServicesOf,
        access: AccessOf,
        connection: ReadOf,
        permit: Annotated[Permit, Depends(permit_of(registry))],
        request: Annotated[PageRequest, Depends(page_request(catalogue.CANDIDATES, *_MORE))],
        verdict: Verdict = "possible",
        number: Number = None,
    ) -> dict[str, Any]:
        """The versions of executors with a slot that it can fill, each with those slots."""
        version = coded_version(connection, access.listing("version"), permit.entity, number)
        asking = Asking(request, services.signer, datetime.now(UTC))
        page = executors(connection, access, asking, version.offer, _verdicts(verdict))
        return _answer(services, connection, page)


def add_difference(router: APIRouter, registry: Registry) -> None:
    """Add the comparison of two versions."""

    @router.get("/{id_}/difference")
    def read_difference(
        access: AccessOf,
        connection: ReadOf,
        permit: Annotated[Permit, Depends(permit_of(registry))],
        new: Number = None,
        old: Annotated[int | None, Query(ge=1, lt=2**31, description="the one before it")] = None,
    ) -> Between:
        """What changed between two versions for those who use them, as a step of SemVer."""
        listing = access.listing("version")
        later = coded_version(connection, listing, permit.entity, new)
        earlier = coded_version(
            connection, listing, permit.entity, old if old is not None else later.number - 1
        )
        found = difference(earlier.signature, later.signature)
        return Between(
            step=found.step, reasons=list(found.reasons), old=earlier.number, new=later.number
        )


def _verdicts(verdict: str) -> list[str]:
    return ["fits", "unchecked"] if verdict == "possible" else [verdict]


def _answer(services: Services, connection: Connection, page: Page) -> dict[str, Any]:
    total = {} if page.total is None else {"total": page.total}
    position = services.positions.read(connection)
    return {"items": page.items, "next_cursor": page.next_cursor, "position": position, **total}
