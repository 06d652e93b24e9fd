"""The expression language of policies and filters: a subset of Python's syntax, never evaluated.

    condition := condition and/or condition | not condition | True | False | truth attribute
               | value (== != < <= > >=) value | text (in | not in) set
               | overlap(set, set) | prefix(text, text) | attribute is [not] None
    value     := attribute | literal | time attribute (+ | -) (days(n) | hours(n))

Policies name attributes as r.sub.…, r.obj.…, r.env.…; filters name those of the entity directly.
"""

import ast
import warnings

from policies.condition import And, Atom, Condition, Const, Not, Or, Ref
from policies.errors import ExpressionError
from policies.names import FilterNames, Names, PolicyNames
from policies.operands import Operands, Place
from policies.schema import Schema, Type

MAX_LENGTH = 2000
MAX_NODES = 200
MAX_DEPTH = 20

_COMPARISONS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_TESTS = {ast.Is: "is None", ast.IsNot: "is not None"}


def parse_policy(text: str, obj: Schema, sub: Schema) -> Condition:
    """A condition of a policy. Raises ExpressionError."""
    return _Parser(text, PolicyNames(obj, sub)).parse()


def parse_filter(text: str, schema: Schema) -> Condition:
    """A filter over one kind of entity. Raises ExpressionError."""
    return _Parser(text, FilterNames(schema)).parse()


def parse_name(text: str, schema: Schema) -> Ref:
    """An attribute that lists can be sorted by. Raises ExpressionError."""
    place = Place(text)
    return Operands(place, FilterNames(schema)).attribute(_syntax(place))


class _Parser:
    def __init__(self, text: str, names: Names) -> None:
        self._place = Place(text)
        self._operands = Operands(self._place, names)

    def parse(self) -> Condition:
        return self._condition(_syntax(self._place))

    def _condition(self, node: ast.expr) -> Condition:
        match node:
            case ast.BoolOp(op=op, values=values):
                items = tuple(self._condition(value) for value in values)
                return And(items) if isinstance(op, ast.And) else Or(items)
            case ast.UnaryOp(op=ast.Not(), operand=item):
                return Not(self._condition(item))
            case ast.Constant(value=bool() as value):
                return Const(value)
            case ast.Compare():
                return self._chain(node)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(name, node)
            case ast.Attribute() | ast.Name() | ast.Subscript():
                return self._operands.truth(node)
            case _:
                raise self._place.error("this is no condition", node)

    def _chain(self, node: ast.Compare) -> Condition:
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        atoms = tuple(self._compared(left, op, right) for left, op, right in pairs)
        return atoms[0] if len(atoms) == 1 else And(atoms)

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Atom:
        if type(op) in _TESTS:
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise self._place.error("`is` compares with None only", right)
            return Atom(_TESTS[type(op)], self._operands.attribute(left))
        operator = _COMPARISONS[type(op)]
        if operator in ("in", "not in"):
            return self._typed(operator, (left, Type.STR), (right, Type.SET))
        return self._operands.comparison(operator, left, right)

    def _call(self, name: str, node: ast.Call) -> Condition:
        wanted = {"overlap": (Type.SET, Type.SET), "prefix": (Type.STR, Type.STR)}.get(name)
        if wanted is None:
            raise self._place.error(
                f"`{name}` is no function here; there are overlap and prefix", node
            )
        if node.keywords or len(node.args) != 2:
            raise self._place.error(f"`{name}` takes two arguments", node)
        left, right = node.args
        return self._typed(name, (left, wanted[0]), (right, wanted[1]))

    def _typed(
        self, operator: str, left: tuple[ast.expr, Type], right: tuple[ast.expr, Type]
    ) -> Atom:
        return Atom(operator, self._operands.of_type(*left), self._operands.of_type(*right))


def _syntax(place: Place) -> ast.expr:
    """The syntax tree, within all limits. Raises ExpressionError."""
    text = place.text
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"{len(text)} characters, at most {MAX_LENGTH}", text[: MAX_LENGTH + 1], MAX_LENGTH
        )
    if not text.strip():
        raise ExpressionError("an empty condition: write True or False", text or " ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in literals: they mean what they say
            tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise place.syntax_error(error) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise ExpressionError("this text cannot be parsed", text) from None
    _check_size(tree, place)
    return tree


def _check_size(tree: ast.expr, place: Place) -> None:
    """Neither too many nodes nor too deep; a dotted name is one node."""
    count, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise place.error(f"more than {MAX_NODES} parts", node)
        if depth > MAX_DEPTH:
            raise place.error(f"nested deeper than {MAX_DEPTH} levels", node)
        if not isinstance(node, ast.Attribute | ast.Subscript):
            inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
            waiting += [(child, depth + 1) for child in inner]
