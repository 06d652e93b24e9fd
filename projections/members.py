"""Members of projects and groups, as pages by id: of whom the caller may see, and nobody else.

A role in a project is that project's business: a mask of `roles` hides a user's other projects.
"""

from dataclasses import dataclass

import orjson
from psycopg.sql import SQL, Composable

from domain.errors import Invalid
from infra.database import Connection
from policies.access import Listing, Permit
from policies.formula import TRUE
from policies.schema import Type
from policies.sql import SqlWriter
from projections.cursor import CursorSigner
from projections.page import MAX_LIMIT, Page

_FOLDED = SQL("NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.entity = t.id)")


@dataclass(frozen=True, slots=True)
class MembersRequest:
    """What a client asks of a list of members."""

    limit: int = 50
    cursor: str | None = None


def read_project_members(
    connection: Connection,
    project: Permit,
    users: Listing,
    groups: Listing,
    request: MembersRequest,
    signer: CursorSigner,
) -> Page:
    """Groups that are not archived, and users, with their own role. Raises Invalid."""
    writer = SqlWriter()
    id_ = writer.bind(project.entity, Type.STR)
    role = SQL("SELECT t.id, t.roles ->> {} AS role FROM {} t WHERE jsonb_exists(t.roles, {})")
    rows = SQL("{} AND NOT t.archived AND {} AND {} UNION ALL {} AND {} AND {}").format(
        role.format(id_, SQL("user_group"), id_),
        _FOLDED,
        writer.where(groups.formula),
        role.format(id_, SQL("account"), id_),
        _FOLDED,
        writer.where(users.formula),
    )
    return _page(connection, project, users, request, signer, writer, rows)


def read_group_members(
    connection: Connection,
    group: Permit,
    users: Listing,
    request: MembersRequest,
    signer: CursorSigner,
) -> Page:
    """Users who belong to a group, as far as their groups are shown. Raises Invalid."""
    writer = SqlWriter()
    rows = SQL(
        "SELECT t.id, NULL AS role FROM account t WHERE t.joined @> ARRAY[{}] AND {} AND {} AND {}"
    ).format(
        writer.bind(group.entity, Type.STR),
        _FOLDED,
        writer.where(users.formula),
        writer.where(users.masks.get("groups", TRUE)),
    )
    return _page(connection, group, users, request, signer, writer, rows)


def _page(
    connection: Connection,
    whole: Permit,
    users: Listing,
    request: MembersRequest,
    signer: CursorSigner,
    writer: SqlWriter,
    rows: Composable,
) -> Page:
    if not 1 <= request.limit <= MAX_LIMIT:
        raise Invalid(f"`limit` is 1 to {MAX_LIMIT}", field="limit")
    binding = orjson.dumps(["members", whole.entity, users.subject, users.policy_set])
    after = signer.read(request.cursor, binding)[0] if request.cursor is not None else ""
    query = SQL(
        'SELECT id, role FROM ({}) member WHERE id COLLATE "C" > {} '
        'ORDER BY id COLLATE "C" LIMIT {}'
    ).format(rows, writer.bind(after, Type.STR), writer.bind(request.limit + 1))
    found = connection.execute(query, writer.values).fetchall()
    items = [{"id": id_, "kind": id_.partition("-")[0], "role": role} for id_, role in found]
    if len(items) <= request.limit:
        return Page(items, None)
    shown = items[: request.limit]
    return Page(shown, signer.sign([shown[-1]["id"]], binding))
