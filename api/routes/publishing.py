"""Versions of one executor, model, loader or dataset: publish, list, and name them by aliases."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, status
from pydantic import Field

from api.access.guard import missing
from api.commands import versions
from api.commands.steps import proposed_step
from api.commands.version_changes import set_aliases
from api.dependencies import (
    AccessOf,
    ContextOf,
    FreshGuardOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    UserOf,
    answer_page,
    creation_id,
    permit_of,
)
from api.routes.bodies import Body, Id, PageOf, Step, Tags, Written
from domain.abstraction import MAX_ALIASES
from domain.errors import Invalid
from domain.text import kind_of
from policies.access import Permit
from projections import catalogue
from projections.page import PageRequest, Registry

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="of a bundle")]
Receipt = Annotated[
    str | None,
    Field(description="of one's own upload; without it the bundle must be of a version one sees"),
]
_PARAMETERS = {"limit", "cursor", "archived", "alias", "number", "bundle", "min_position"}


class Details(Body):
    """What is said of a version; docs/topics.md tells what each member means."""

    description: str | None = None
    tags: Tags | None = None
    card: str | None = None
    metrics: dict[str, int | float] | None = None
    parameters: dict[str, Any] | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    environment: Any = None
    parents: list[Id] | None = Field(None, description="versions that it was made of")
    data: list[Id] | None = Field(None, description="versions of datasets that it was made with")
    origin_source: Any = None
    mode: str | None = Field(None, description="`copy` or `reference`")
    reproducible: bool | None = None
    form: str | None = Field(None, description="`files` or `table`")


class NewPublication(Details):
    """What every new version may say."""

    id: Id | None = None
    aliases: Annotated[list[str], Field(max_length=MAX_ALIASES)] = []


class NewCode(NewPublication):
    """A version that is code: the digest of an uploaded bundle."""

    bundle: Digest
    receipt: Receipt = None


class NewModel(NewPublication):
    """A version of a model: a bundle of code, an artifact with its bytes, or both."""

    bundle: Digest | None = None
    receipt: Receipt = None
    artifact: Id | None = None


class NewData(NewPublication):
    """A version of a dataset: an artifact with its bytes, or with the fingerprint of its source."""

    artifact: Id


class WrittenVersion(Written):
    """A version and the number it got; `step` is what SemVer's next number should be, and why."""

    number: int | None = None
    step: Step | None = None


class Aliases(Body):
    """Names for numbers of versions; null takes a name away, what is left out stays."""

    aliases: dict[str, int | None]


def version_routes(
    router: APIRouter, kind: str, registry: Registry, new: type[NewPublication]
) -> None:
    """Add publishing, the list of versions, and aliases."""
    _publishing(router, kind, new)
    _listing(router, kind, registry)
    _naming(router, kind)


def _publishing(router: APIRouter, kind: str, new: type[NewPublication]) -> None:
    @router.post("/{id_}/versions", status_code=status.HTTP_201_CREATED)
    async def publish(
        id_: str,
        body: new,  # type: ignore[valid-type]
        services: ServicesOf,
        caller: UserOf,
        guard: GuardOf,
        guard_again: FreshGuardOf,
        context: ContextOf,
    ) -> WrittenVersion:
        """Make what was uploaded the next version; what code requires is locked here."""
        if kind_of(id_) != kind:
            raise missing(id_)
        given: NewPublication = body
        version_id = creation_id("version", given.id, context)
        asked = _asked(version_id, id_, given)
        source = await versions.prepare(services, caller, context, guard, kind, asked)
        now = await guard_again()  # locking may have taken minutes
        number, position = await services.store.run(
            context, lambda session: versions.publish(session, now, asked, source)
        )
        found = await services.store.run(
            context, lambda session: proposed_step(session, now, id_, version_id)
        )
        step = None if found is None else Step(step=found.step, reasons=list(found.reasons))
        return WrittenVersion(id=version_id, number=number, position=position, step=step)


def _asked(version_id: str, abstraction: str, body: NewPublication) -> versions.Publication:
    told = body.model_dump()
    return versions.Publication(
        id=version_id,
        abstraction=abstraction,
        bundle=told.get("bundle"),
        receipt=told.get("receipt"),
        artifact=told.get("artifact"),
        aliases=body.aliases,
        details={name: told[name] for name in Details.model_fields},
    )


def _listing(router: APIRouter, kind: str, registry: Registry) -> None:
    @router.get("/{id_}/versions", response_model=PageOf, response_model_exclude_unset=True)
    def list_versions(
        services: ServicesOf,
        permit: Annotated[Permit, Depends(permit_of(registry))],
        access: AccessOf,
        context: ContextOf,
        connection: ReadOf,
        asked: Annotated[PageRequest, Depends(_page)],
    ) -> dict[str, Any]:
        """The versions of one abstraction, newest first; or those of an alias, number or bundle."""
        request = replace(asked, where={"abstraction": permit.entity, "kind": kind})
        return answer_page(services, connection, catalogue.VERSIONS, request, access, context)


def _page(
    request: Request,
    limit: int = 50,
    cursor: str | None = None,
    archived: bool = False,
    alias: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = None,
    number: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    bundle: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
) -> PageRequest:
    """The query parameters of a list of versions; unknown ones are refused."""
    for name in request.query_params.keys() - _PARAMETERS:
        raise Invalid(f"`{name}` is no parameter of this list", field=name)
    wanted = [] if alias is None else [f"'{alias}' in aliases"]
    wanted += [] if number is None else [f"number == {number}"]
    wanted += [] if bundle is None else [f"bundle == '{bundle}'"]
    filter_ = " and ".join(wanted) or None
    return PageRequest(limit, cursor, "-number", archived, filter=filter_)


def _naming(router: APIRouter, kind: str) -> None:
    @router.put("/{id_}/aliases")
    async def put_aliases(
        id_: str, body: Aliases, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Move aliases of versions, all at once: a champion and its challenger swap in one step."""
        if kind_of(id_) != kind:
            raise missing(id_)
        position = await services.store.run(
            context, lambda session: set_aliases(session, guard, id_, body.aliases)
        )
        return Written(id=id_, position=position)
