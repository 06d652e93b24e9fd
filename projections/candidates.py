"""Pages of what fits: the versions that can fill a slot, and the executors that take a version."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.sql import SQL, Identifier

from domain.errors import Forbidden, NotFound
from domain.signatures.shapes import slot_digests
from infra.database import Connection
from policies.access import Access, Listing
from policies.formula import TRUE
from policies.schema import Type
from policies.sql import SqlWriter
from projections.among import Among
from projections.catalogue import CANDIDATES
from projections.cursor import CursorSigner
from projections.lineage_rows import names_of
from projections.page import Page, PageRequest, read_page, seen


@dataclass(frozen=True, slots=True)
class Coded:
    """A version with code that the caller sees: what it offers, and its signature."""

    id: str
    number: int
    offer: str
    signature: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of a page, and when."""

    request: PageRequest
    signer: CursorSigner
    now: datetime


def coded_version(
    connection: Connection, listing: Listing, abstraction: str, number: int | None
) -> Coded:
    """The version of this number, or the newest. Raises NotFound, and Forbidden where masked."""
    writer = SqlWriter()
    mask = listing.masks.get("source", TRUE)
    conditions = [
        SQL("t.abstraction = {}").format(writer.bind(abstraction, Type.STR)),
        SQL("t.offer IS NOT NULL AND NOT t.deleted"),
        seen(listing, writer),
        *([] if number is None else [SQL("t.number = {}").format(writer.bind(number, Type.INT))]),
    ]
    query = SQL(
        "SELECT t.id, t.number, t.offer, t.source -> 'signature', {} FROM version t WHERE {} "
        "ORDER BY t.number DESC LIMIT 1"
    ).format(writer.where(mask), SQL(" AND ").join(conditions))
    row = connection.execute(query, writer.values).fetchone()
    if row is None:
        which = "version with code" if number is None else f"version {number} with code"
        raise NotFound(f"there is no {which}", id=abstraction)
    *members, shown = row
    if not shown:
        raise Forbidden("the code of this version is masked for you", code="masked")
    return Coded(*members)


def candidates(
    connection: Connection, access: Access, asking: Asking, demand: str, verdicts: Sequence[str]
) -> Page:
    """The versions that can fill a slot with this demand, each with verdict and reasons."""
    offers = _matching(connection, "offer", "demand", demand, verdicts)
    name = ",".join(("demand", demand, *sorted(verdicts)))
    page = _page(connection, access, asking, _among(name, "offer", offers))
    fits = _fits(connection, "offer", [demand], {item["offer"] for item in page.items})
    forms = _forms(connection, page, fits)
    items = [
        {**_shown(item), **_said(fits[item["offer"]]), "fields": forms.get(item["id"], {})}
        for item in page.items
    ]
    return replace(page, items=_named(connection, access, items))


def executors(
    connection: Connection, access: Access, asking: Asking, offer: str, verdicts: Sequence[str]
) -> Page:
    """The versions of executors with a slot that this offer can fill, each with those slots."""
    demands = _matching(connection, "demand", "offer", offer, verdicts)
    name = ",".join(("offer", offer, *sorted(verdicts)))
    page = _page(connection, access, asking, _among(name, "demands", demands))
    signatures = _signatures(connection, [item["id"] for item in page.items])
    asked = {id_: slot_digests(signature) for id_, signature in signatures.items()}
    there = set(demands) & {digest for slots in asked.values() for digest in slots.values()}
    fits = _fits(connection, "demand", there, [offer])
    items = [
        {
            **_shown(item),
            "slots": {
                slot: {**signatures[item["id"]]["slots"][slot], **_said(fits[digest])}
                for slot, digest in asked[item["id"]].items()
                if digest in fits
            },
        }
        for item in page.items
    ]
    return replace(page, items=_named(connection, access, items))


Fits = dict[str, tuple[str, list[str], dict[str, dict[str, bool]]]]


def _matching(
    connection: Connection, wanted: str, given: str, value: str, verdicts: Sequence[str]
) -> list[str]:
    """The offers that answer a demand so, or the demands that an offer does."""
    query = SQL("SELECT {} FROM fit WHERE {} = %s AND verdict = ANY(%s)").format(
        Identifier(wanted), Identifier(given)
    )
    rows = connection.execute(query, (value, list(verdicts))).fetchall()
    return [digest for (digest,) in rows]


def _fits(
    connection: Connection, by: str, demands: Collection[str], offers: Collection[str]
) -> Fits:
    """Verdict, reasons and fields, by the offer or the demand."""
    query = SQL(
        "SELECT {}, verdict, reasons, fields FROM fit WHERE demand = ANY(%s) AND offer = ANY(%s)"
    ).format(Identifier(by))
    rows = connection.execute(query, (list(demands), list(offers))).fetchall()
    return {digest: (verdict, reasons, fields) for digest, verdict, reasons, fields in rows}


def _among(name: str, column: str, values: Sequence[str]) -> Among:
    return Among(name, column, values, many=column == "demands", of="source")


def _page(connection: Connection, access: Access, asking: Asking, among: Among) -> Page:
    listing = access.listing("version")
    request = replace(asking.request, among=among)
    return read_page(connection, CANDIDATES, listing, request, asking.signer, asking.now)


def _signatures(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of versions on a page, which lists only those whose code is not masked."""
    query = "SELECT id, source -> 'signature' FROM version WHERE id = ANY(%s)"
    return dict(connection.execute(query, (list(ids),)).fetchall())


def _forms(connection: Connection, page: Page, fits: Fits) -> dict[str, dict[str, Any]]:
    """By version, and method, the schema of what a user gives in addition."""
    asked = {item["id"]: fields for item in page.items if (fields := fits[item["offer"]][2])}
    signatures = _signatures(connection, list(asked)) if asked else {}
    return {
        id_: {name: _form(signatures[id_]["methods"][name], of) for name, of in fields.items()}
        for id_, fields in asked.items()
    }


def _form(method: Mapping[str, Any], fields: Mapping[str, bool]) -> dict[str, Any]:
    schemas = {each["name"]: each.get("schema", {}) for each in method["parameters"]}
    return {
        "type": "object",
        "properties": {name: schemas[name] for name in fields},
        "required": [name for name, required in fields.items() if required],
        "additionalProperties": False,
    }


def _said(fit: tuple[str, list[str], Any]) -> dict[str, Any]:
    return {"verdict": fit[0], "reasons": fit[1]}


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("offer", "demands")}


def _named(
    connection: Connection, access: Access, items: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """With the name of what each is a version of, where the caller sees that."""
    names = names_of(connection, access, {item["abstraction"] for item in items})
    return [{**item, "name": names.get(item["abstraction"])} for item in items]
