"""What versions and runs were made from, and what was made from them, as far as one may see.

An edge leads from what was made to what it was made from. What the caller may not see stands there
as `hidden-1` without name, and nothing is told of what lies behind it: a hidden node has edges on
one side only, that from which it was found.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.errors import NotFound
from domain.text import kind_of
from infra.database import Connection
from policies.access import Access, Permit
from projections.lineage_rows import Row, names_of, rows_made_from, rows_of, versions_of

Direction = Literal["up", "down", "both"]

MAX_DEPTH = 10
MAX_NODES = 2_000
MAX_EDGES = 20_000


@dataclass(slots=True)
class Lineage:
    """Nodes and edges as answers show them; `truncated` where there were too many."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)
    truncated: bool = False


def read_lineage(
    connection: Connection, access: Access, permit: Permit, direction: Direction, depth: int
) -> Lineage:
    """The lineage of a version, a run, or all versions of an abstraction; one query a level.

    Raises NotFound for a version or run whose row is not shown (yet).
    """
    walk = _Walk(connection, access)
    if permit.kind in ("version", "run"):
        roots = rows_of(connection, access, [permit.entity])
        if not roots:
            raise NotFound(f"there is no {permit.kind} {permit.entity}", id=permit.entity)
    else:
        roots = versions_of(connection, access, permit.entity, MAX_NODES + 1)
    roots = walk.shown(roots)
    if direction != "down":
        walk.up(roots, depth)
    if direction != "up":
        walk.down(roots, depth)
    return walk.result()


class _Walk:
    """Gathers nodes and edges, level by level."""

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection = connection
        self._access = access
        self._rows: dict[str, Row] = {}
        self._hidden: dict[str, tuple[str, str]] = {}  # id to alias, and the side of its edges
        self._edges: dict[tuple[str, str, str | None], None] = {}
        self._truncated = False

    def up(self, frontier: list[Row], depth: int) -> None:
        """Follow what rows say they were made from."""
        passed = {row.id for row in frontier}
        for _ in range(depth):
            named = dict.fromkeys(id_ for row in frontier for id_, _ in row.links())
            self._find(named)
            for row in frontier:
                for id_, role in row.links():
                    self._edge(row.id, id_, role)
            frontier = [self._rows[id_] for id_ in named if id_ in self._rows and id_ not in passed]
            passed |= named.keys()
            if not frontier:
                return

    def down(self, frontier: list[Row], depth: int) -> None:
        """Look for rows that say they were made from what was found."""
        passed = {row.id for row in frontier}
        for _ in range(depth):
            ids = {row.id for row in frontier}
            made = self._made_from(ids)
            for row in made:
                for id_, role in row.links():
                    if id_ in ids:
                        self._edge(row.id, id_, role)
            frontier = [row for row in made if row.id in self._rows and row.id not in passed]
            passed |= {row.id for row in made}
            if not frontier:
                return

    def shown(self, rows: Iterable[Row]) -> list[Row]:
        """Those rows that have room as nodes."""
        return [row for row in rows if self._room(row.id) and self._keep(row)]

    def result(self) -> Lineage:
        """All of it, in the order in which it was found."""
        versions = [row for row in self._rows.values() if kind_of(row.id) == "version"]
        held = {str(row.values["abstraction"]) for row in versions}
        names = names_of(self._connection, self._access, held)
        nodes = [_node(row, names) for row in self._rows.values()]
        nodes += [
            {"id": alias, "kind": kind_of(id_), "hidden": True}
            for id_, (alias, _) in self._hidden.items()
        ]
        edges = [{"from": made, "to": of, "role": role} for made, of, role in self._edges]
        return Lineage(nodes, edges, self._truncated)

    def _find(self, ids: Collection[str]) -> None:
        """Make nodes of ids; those that no row is shown for are hidden."""
        unknown = [id_ for id_ in ids if id_ not in self._rows and self._room(id_)]
        unknown = unknown[: MAX_NODES + 1]
        found = {row.id: row for row in rows_of(self._connection, self._access, unknown)}
        for id_ in unknown:
            if not self._room(id_):
                break
            if id_ in found:
                self._keep(found[id_])
            else:
                self._hide(id_, "to")

    def _made_from(self, ids: Collection[str]) -> list[Row]:
        rows = rows_made_from(self._connection, self._access, ids, MAX_NODES + 1)
        self._truncated |= len(rows) > MAX_NODES
        made = [row for row in rows if any(id_ in ids for id_, _ in row.links())]
        for row in made:
            if row.id in self._rows or not self._room(row.id):
                continue
            if row.seen:
                self._keep(row)
            else:
                self._hide(row.id, "from")
        return made

    def _room(self, id_: str) -> bool:
        """Whether it is a node already or can become one."""
        if id_ in self._rows or id_ in self._hidden:
            return True
        room = len(self._rows) + len(self._hidden) < MAX_NODES
        self._truncated |= not room
        return room

    def _keep(self, row: Row) -> bool:
        self._rows[row.id] = row
        return True

    def _hide(self, id_: str, side: str) -> None:
        self._hidden.setdefault(id_, (f"hidden-{len(self._hidden) + 1}", side))

    def _edge(self, made: str, of: str, role: str | None) -> None:
        """Lead from one node to another, if both are there and it tells nothing hidden."""
        if made in self._hidden:
            made, side = self._hidden[made]
            role = None
            allowed = side == "from" and of in self._rows
        elif of in self._hidden:
            of, side = self._hidden[of]
            allowed = side == "to" and made in self._rows
        else:
            allowed = made in self._rows and of in self._rows
        if not allowed:
            return
        if len(self._edges) >= MAX_EDGES:
            self._truncated = True
            return
        self._edges[made, of, role] = None


def _node(row: Row, names: dict[str, str]) -> dict[str, Any]:
    values = row.values
    node = {
        "id": row.id,
        "kind": kind_of(row.id),
        "owner": values["created_by"],
        "created_at": values["created_at"],
    }
    if node["kind"] == "run":
        return {**node, "label": values["name"], "status": values["status"]}
    name, number = names.get(values["abstraction"]), values["number"]
    label = f"version {number}" if name is None else f"{name}:{number}"
    status = "deleted" if values["deleted"] else "archived" if values["archived"] else None
    return {**node, "label": label, "of": values["kind"], "status": status}
