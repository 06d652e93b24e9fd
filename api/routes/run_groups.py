"""Groups of runs: one request, run with several seeds, and what its results spread over."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.access.guard import missing
from api.answer import Answer
from api.dependencies import AccessOf, ReadOf, ServicesOf
from hansard.formats.points import MAX_KEY_CHARS
from projections.run_groups import Best, read_group

router = APIRouter(prefix="/run-groups", tags=["runs"])


class Spread(BaseModel):
    """Of the runs that have a finite value: `std` is that of a sample, null for a single run.

    A mean or spread that is too large for a number is null as well.
    """

    key: str
    n: int
    mean: float | None
    std: float | None
    min: float
    max: float
    min_run: str
    max_run: str


class BestRun(BaseModel):
    """The run that is best by what was asked, and its value."""

    run: str
    value: float


class RunGroup(BaseModel):
    """The runs of a group that the caller sees, how many have which status, and their spread."""

    id: str
    runs: list[dict[str, Any]]
    statuses: dict[str, int]
    metrics: list[Spread]
    results: list[Spread]
    best: BestRun | None
    position: int


@router.get("/{id_}", response_model=RunGroup)
def show(
    id_: str,
    services: ServicesOf,
    connection: ReadOf,
    access: AccessOf,
    statistic: Annotated[
        Literal["last", "min", "max"], Query(description="what stands for a metric within a run")
    ] = "last",
    best: Annotated[
        str | None,
        Query(max_length=MAX_KEY_CHARS, description="a metric, or a result, that ranks the runs"),
    ] = None,
    mode: Annotated[Literal["max", "min"], Query(description="which value of it is best")] = "max",
) -> Answer:
    """The runs that were asked for together with several seeds, and what their metrics spread over.

    It tells of runs that the caller sees, and of nothing that is masked.
    """
    position = services.positions.read(connection)
    found = read_group(
        connection,
        access.listing("run"),
        id_,
        services.signer,
        datetime.now(UTC),
        statistic=statistic,
        best=Best(best, lowest=mode == "min") if best is not None else None,
    )
    if found is None:
        raise missing(id_)
    return Answer({**found, "position": position})
