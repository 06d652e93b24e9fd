"""The slots of an executor and the roles that they ask for.

`Slot[Role]` is one part, `Slot[Role] | None` an optional one, `Slots[Role]` or `list[Slot[Role]]`
any number of them, `Slot[All[RoleA, RoleB]]` one that plays both.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from domain.signatures.functions import Function
from domain.signatures.lineage import Line
from domain.signatures.members import Attribute, MemberReader, is_protocol
from domain.signatures.reading import Scope, dotted_name
from domain.signatures.types import thaw

MAX_ROLES = 16


@dataclass(frozen=True, slots=True)
class Role:
    """What a part must offer. `unchecked` says in words what nobody can check of it."""

    name: str
    methods: dict[str, Function] = field(default_factory=dict)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    doc: str = ""

    def as_json(self) -> dict[str, Any]:
        """As a signature keeps it."""
        return {
            "methods": {name: each.as_json() for name, each in self.methods.items()},
            "attributes": {
                name: {"type": each.type, "writable": each.writable}
                for name, each in self.attributes.items()
            },
            "unchecked": list(self.unchecked),
            "doc": self.doc,
        }

    @classmethod
    def of_json(cls, name: str, value: dict[str, Any]) -> "Role":
        """The inverse."""
        return cls(
            name,
            {n: Function.of_json(f) for n, f in value["methods"].items()},
            {n: Attribute(thaw(a["type"]), a["writable"]) for n, a in value["attributes"].items()},
            tuple(value["unchecked"]),
            value.get("doc", ""),
        )


class SlotReader:
    """Reads slots and roles with a reader of members."""

    def __init__(self, members: MemberReader) -> None:
        self._members = members
        self.roles: dict[str, Role] = {}
        """Roles by the name that the slots call them."""

    def slots(self, lines: list[Line]) -> dict[str, dict[str, Any]]:
        """The slots that classes of a lineage declare, nearest first."""
        found: dict[str, dict[str, Any]] = {}
        for line in reversed(lines):
            for statement in line.node.body:
                match statement:
                    case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                        slot = self._slot(annotation, line.scope)
                        if slot is not None:
                            found[name] = slot
                    case _:
                        pass
        return found

    def role(self, expression: ast.expr, scope: Scope) -> Role:
        """The role that an expression in a slot names."""
        head = expression.value if isinstance(expression, ast.Subscript) else expression
        found = self._members.lineages.types.named(head, scope)
        short = found.name.rpartition(".")[2][:200]
        if (
            found.kind != "class"
            or found.module is None
            or not isinstance(found.node, ast.ClassDef)
        ):
            return Role(short, unchecked=(f"the source of role `{short}` is not there",))
        doubts = [] if found.sure else [f"role `{short}` is defined in more than one way"]
        if not is_protocol(found.node):
            doubts.append(f"role `{short}` is a class and no Protocol: parts must derive from it")
        variables = self._variables(expression, found.module, found.node, scope)
        members = self._members.read(found.module, found.node, of_role=True, variables=variables)
        methods = {n: f for n, f in members.methods.items() if n not in ("__init__", "__hash__")}
        return Role(
            short,
            methods,
            members.attributes,
            tuple(dict.fromkeys([*doubts, *members.open, *members.doubts])),
            ast.get_docstring(found.node) or "",
        )

    def _variables(
        self, expression: ast.expr, module: Any, node: ast.ClassDef, scope: Scope
    ) -> dict[str, Any]:
        """What the type variables of a role `Mapper[int, str]` mean."""
        if not isinstance(expression, ast.Subscript):
            return {}
        lineages = self._members.lineages
        line = lineages.read(module, node).lines[0]
        inner = expression.slice
        members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if not isinstance(line, Line) or len(line.variables) != len(members):
            return {}
        given = [lineages.types.read(each, scope) for each in members]
        return dict(zip(line.variables, given, strict=True))

    def _slot(self, annotation: ast.expr, scope: Scope) -> dict[str, Any] | None:
        annotation = _parsed(annotation)
        inner = _optional(annotation)
        optional = inner is not annotation
        many = False
        match inner:
            case ast.Subscript(value=head, slice=ast.Subscript() as item) if _last(head) in (
                "list",
                "List",
            ):
                inner, many = item, True
        if not isinstance(inner, ast.Subscript) or _last(inner.value) not in ("Slot", "Slots"):
            return None
        many = many or _last(inner.value) == "Slots"
        roles = [self._keep(each, scope) for each in _all_of(_parsed(inner.slice))][:MAX_ROLES]
        return {"roles": roles, "many": many, "optional": optional or many}

    def _keep(self, expression: ast.expr, scope: Scope) -> str:
        """Remember a role; answers its name, which tells it from others of that name."""
        role = self.role(expression, scope)
        name, number = role.name, 1
        while name in self.roles and self.roles[name] != role:
            number += 1
            name = f"{role.name} {number}"
        self.roles[name] = role
        return name


def _parsed(annotation: ast.expr) -> ast.expr:
    """An annotation in quotes as what it says."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return annotation  # no type checker reads it either
    return annotation


def _optional(annotation: ast.expr) -> ast.expr:
    """What is inside of `X | None` or `Optional[X]`."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return left
        case ast.BinOp(left=ast.Constant(value=None), op=ast.BitOr(), right=right):
            return right
        case ast.Subscript(value=head, slice=inner) if _last(head) == "Optional":
            return inner
        case _:
            return annotation


def _all_of(expression: ast.expr) -> Iterator[ast.expr]:
    """The roles in `All[A, B]`, or the one that there is."""
    match expression:
        case ast.Subscript(value=head, slice=inner) if _last(head) == "All":
            members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            for member in members:
                yield from _all_of(_parsed(member))
        case _:
            yield expression


def _last(node: ast.expr) -> str:
    return (dotted_name(node) or "").rpartition(".")[2]
