"""The two sides of a comparison: literals and attributes, brought to one type."""

import ast
import re
from datetime import UTC, datetime
from math import isfinite

from domain.plain_data import holds_text
from policies.condition import ORDERED, Atom, Operand, Ref, Shifted, Value
from policies.errors import ExpressionError
from policies.names import Names, UnknownName, Untyped
from policies.schema import MAX_INT, MIN_INT, Attribute, Type

_UNITS_US = {"days": 86_400_000_000, "hours": 3_600_000_000}
_MAX_SHIFT = 100_000
_LINE_END = re.compile(r"\r\n?|\n")  # as Python's parser has it


class Place:
    """The text, and where in it something is wrong."""

    def __init__(self, text: str) -> None:
        self.text = text
        first = len(text) - len(text.lstrip())
        ends = _LINE_END.finditer(text.strip())
        self._lines = [first, *(first + end.end() for end in ends)]

    def error(self, message: str, node: ast.expr) -> ExpressionError:
        """An error with a caret under the node."""
        start, end = self._of_byte(node.lineno, node.col_offset), None
        if node.end_col_offset is not None and node.end_lineno == node.lineno:
            end = self._of_byte(node.lineno, node.end_col_offset)
        return ExpressionError(message, self.text, start, end)

    def syntax_error(self, error: SyntaxError) -> ExpressionError:
        """What Python's parser says, with a caret where it stopped."""
        line = min(error.lineno or 1, len(self._lines))
        start = min(self._lines[line - 1] + max(error.offset or 1, 1) - 1, len(self.text))
        return ExpressionError(f"not an expression: {error.msg}", self.text, start, start + 1)

    def _of_byte(self, line: int, column: int) -> int:
        """The place of a byte of a line in the text."""
        start = self._lines[line - 1]
        return start + len(self.text[start:].encode()[:column].decode())


class Operands:
    """Makes typed operands of syntax."""

    def __init__(self, place: Place, names: Names) -> None:
        self._place = place
        self._names = names
        self._filter = names.dialect == "filter"

    def truth(self, node: ast.expr) -> Atom:
        """A truth attribute standing alone."""
        found = self._resolved(node)
        ref = found.typed(Type.BOOL) if isinstance(found, Untyped) else found
        if ref.type is not Type.BOOL:
            raise self._place.error(f"this is a {ref.type}: compare it with something", node)
        return Atom("==", ref, Value(Type.BOOL, True))

    def attribute(self, node: ast.expr) -> Ref:
        """An attribute, for a test of absence."""
        if not isinstance(node, ast.Attribute | ast.Name | ast.Subscript):
            raise self._place.error("only an attribute can be None", node)
        found = self._resolved(node)
        return found.untyped if isinstance(found, Untyped) else found

    def of_type(self, node: ast.expr, wanted: Type) -> Operand:
        """An operand that has this type."""
        found = self._operand(node)
        if isinstance(found, Untyped):
            found = found.typed(wanted)
        if found.type is not wanted:
            raise self._place.error(f"a {wanted} is needed here, this is a {found.type}", node)
        return found

    def comparison(self, operator: str, left: ast.expr, right: ast.expr) -> Atom:
        """A comparison of two operands of one type."""
        one, other = self._operand(left), self._operand(right)
        one, other = self._typed(one, other, left), self._typed(other, one, right)
        one, other = self._as_time(one, other, left), self._as_time(other, one, right)
        one, other = self._as_float(one, other), self._as_float(other, one)
        if one.type is not other.type:
            message = f"a {one.type} is compared with a {other.type}"
            raise self._place.error(message, right)
        if one.type is Type.SET:
            raise self._place.error("sets are compared with overlap() and `in` only", left)
        if one.type is Type.BOOL and operator in ORDERED:
            raise self._place.error("truth values have no order", left)
        return Atom(operator, one, other)

    def _typed(self, one: Operand | Untyped, other: Operand | Untyped, node: ast.expr) -> Operand:
        """A value of a map takes the type of the literal beside it."""
        if not isinstance(one, Untyped):
            return one
        if not isinstance(other, Value):
            raise self._place.error("compare this with a literal, so that its type is known", node)
        return one.typed(Type.FLOAT if other.type is Type.INT else other.type)

    def _as_time(self, one: Operand, other: Operand, node: ast.expr) -> Operand:
        if other.type is not Type.TIME or not isinstance(one, Value) or one.type is not Type.STR:
            return one
        try:
            time = datetime.fromisoformat(str(one.value))
        except ValueError:
            raise self._place.error("not an ISO 8601 time", node) from None
        if time.tzinfo is None:
            if not self._filter:
                raise self._place.error("a time needs its zone, such as a final Z", node)
            time = time.replace(tzinfo=UTC)
        return Value(Type.TIME, time)

    def _as_float(self, one: Operand, other: Operand) -> Operand:
        """Beside a float, a whole number is one."""
        if one.type is not Type.INT or other.type is not Type.FLOAT:
            return one
        if isinstance(one, Value):
            assert isinstance(one.value, int)
            return Value(Type.FLOAT, float(one.value))
        assert isinstance(one, Ref)
        return Ref(one.root, one.name, Attribute(Type.FLOAT, one.attribute.source, one.nullable))

    def _operand(self, node: ast.expr) -> Operand | Untyped:
        match node:
            case ast.Attribute() | ast.Name() | ast.Subscript():
                return self._resolved(node)
            case ast.Constant():
                return self._literal(node, node.value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                if not isinstance(number, bool):
                    return self._literal(node, -number)
            case ast.List(elts=members) | ast.Set(elts=members) | ast.Tuple(elts=members):
                texts = frozenset(self._text(member) for member in members)
                return Value(Type.SET, texts)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=ast.Call() as call):
                sign = 1 if isinstance(node.op, ast.Add) else -1
                return self._shifted(left, sign * self._duration(call))
            case _:
                pass
        raise self._place.error("neither an attribute nor a literal", node)

    def _literal(self, node: ast.expr, value: object) -> Value:
        match value:
            case bool():
                return Value(Type.BOOL, value)
            case int() if MIN_INT <= value <= MAX_INT:
                return Value(Type.INT, value)
            case int():
                raise self._place.error("this number does not fit 64 bits", node)
            case str():
                return Value(Type.STR, self._text(node))
            case float() if self._filter and isfinite(value):
                return Value(Type.FLOAT, value)
            case float():
                what = "not finite" if self._filter else "no whole number: policies have no floats"
                raise self._place.error(f"this number is {what}", node)
            case None:
                raise self._place.error("write `is None` or `is not None`", node)
            case _:
                raise self._place.error(f"a {type(value).__name__} is no literal here", node)

    def _text(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self._place.error("a set holds literal text only", node)
        if not holds_text(node.value):
            raise self._place.error("text contains NUL or half a character", node)
        return node.value

    def _shifted(self, node: ast.expr, by_us: int) -> Shifted:
        ref = self.attribute(node)
        if ref.type is not Type.TIME or ref.root == "obj":
            message = "only a time of the subject or the moment can be moved, such as r.env.now"
            raise self._place.error(message, node)
        return Shifted(ref, by_us)

    def _duration(self, call: ast.Call) -> int:
        match call:
            case ast.Call(
                func=ast.Name(id=("days" | "hours") as unit),
                args=[ast.Constant(value=int() as number)],
                keywords=[],
            ) if not isinstance(number, bool) and 0 <= number <= _MAX_SHIFT:
                return number * _UNITS_US[unit]
        raise self._place.error(f"days(n) or hours(n), n at most {_MAX_SHIFT}", call)

    def _resolved(self, node: ast.expr) -> Ref | Untyped:
        try:
            return self._names.resolve(node)
        except UnknownName as error:
            raise self._place.error(str(error), node) from None
