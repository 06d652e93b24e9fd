"""Datasets, and what their versions are held against."""

from pydantic import Field

from api.access.guard import missing
from api.commands.version_changes import expect
from api.dependencies import ContextOf, GuardOf, ServicesOf
from api.routes.bodies import Body, Written
from api.routes.publishing import NewData
from api.routes.registries import abstractions
from domain.text import kind_of
from projections import catalogue

router = abstractions("datasets", "dataset", catalogue.DATASETS, NewData)


class Expected(Body):
    """What is expected of the data, as YAML; null expects nothing."""

    text: str | None = Field(description="docs/datasets.md tells what can stand there")


@router.put("/{id_}/expectations")
async def put_expectations(
    id_: str, body: Expected, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Say what versions are held against; those that fail can be kept from runs."""
    if kind_of(id_) != "dataset":
        raise missing(id_)
    return Written(id=id_, position=await expect(services, context, guard, id_, body.text))
