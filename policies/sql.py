"""Formulas as SQL: identifiers from the schema only, every value bound and cast.

The row of the entity has the alias `t`. An atom that is true is emitted as it is, because WHERE
takes unknown for false and formulas know no NOT; one that may be unknown as `(…) IS NOT FALSE`.
Order on text carries COLLATE "C", which is Python's order of code points.
"""

from collections.abc import Mapping
from typing import Any as AnyValue

from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder

from policies.condition import ORDERED, Atom, Operand, Ref, Shifted, Value
from policies.formula import All, Any, Formula, Leaf
from policies.schema import Attribute, Column, JsonAny, JsonKeys, JsonPath, Metric, Type

CASTS = {
    Type.STR: SQL("text"),
    Type.INT: SQL("bigint"),
    Type.BOOL: SQL("boolean"),
    Type.TIME: SQL("timestamptz"),
    Type.SET: SQL("text[]"),
    Type.FLOAT: SQL("float8"),
}
_ROW = Identifier("t")
_DOT, _AND, _OR, _CAST = SQL("."), SQL(" AND "), SQL(" OR "), SQL("::")
_OPEN, _CLOSE, _MAYBE = SQL("("), SQL(")"), SQL(") IS NOT FALSE)")
_NOT_EMPTY = SQL(" <> '{}' AND ")
_ANY, _AS_BYTES = SQL(" = ANY("), SQL(' COLLATE "C"')
_IN_JSON = {
    Type.STR: SQL("CASE WHEN jsonb_typeof({0}) = 'string' THEN {0} #>> '{{}}' END"),
    Type.BOOL: SQL("CASE WHEN jsonb_typeof({0}) = 'boolean' THEN ({0})::boolean END"),
    Type.FLOAT: SQL("CASE WHEN jsonb_typeof({0}) = 'number' THEN ({0})::float8 END"),
    Type.INT: SQL(  # 1.0 is written as a float and read as one
        "CASE WHEN jsonb_typeof({0}) = 'number' THEN CASE WHEN scale(({0})::numeric) = 0 "
        "AND ({0})::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 "
        "THEN ({0})::bigint END END"
    ),
    Type.TIME: SQL("NULL::timestamptz"),  # JSON has no times
    Type.SET: SQL(
        "CASE WHEN jsonb_typeof({0}) = 'array' "
        "AND NOT jsonb_path_exists({0}, 'strict $[*] ? (@.type() != \"string\")') "
        "THEN ARRAY(SELECT jsonb_array_elements_text({0})) END"
    ),
}
_METRIC = SQL(
    "EXISTS (SELECT 1 FROM metric_latest m WHERE m.run = {row}.id AND m.key = {key} AND {test})"
)


class SqlWriter:
    """Writes formulas over one alias, and gathers the values they bind.

    `joined` names metric keys whose row of `metric_latest` the query has joined, with its alias.
    """

    def __init__(
        self,
        row: Identifier = _ROW,
        joined: Mapping[str, Identifier] | None = None,
        prefix: str = "p",
    ) -> None:
        self.values: dict[str, AnyValue] = {}
        self._row = row
        self._joined = joined or {}
        self._prefix = prefix

    def where(self, formula: Formula) -> Composable:
        """The formula as a two-valued predicate (or unknown where it is false)."""
        match formula:
            case Leaf(atom, maybe):
                return self._leaf(atom, maybe=maybe)
            case All(items):
                return self._joined_by(_AND, items) if items else SQL("TRUE")
            case Any(items):
                return self._joined_by(_OR, items) if items else SQL("FALSE")

    def bind(self, value: AnyValue, type_: Type | None = None) -> Composable:
        """A placeholder for a value, cast to the type."""
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = sorted(value) if isinstance(value, frozenset) else value
        placeholder: Composable = Placeholder(name)
        return placeholder if type_ is None else Composed([placeholder, _CAST, CASTS[type_]])

    def attribute(self, attribute: Attribute) -> Composable:
        """The value of an attribute, in its type."""
        match attribute.source:
            case Column(name):
                plain = SQL("{}.{}").format(self._row, Identifier(name))
                if attribute.type is Type.FLOAT:
                    return SQL("NULLIF({}::float8, 'NaN')").format(plain)
                return plain
            case JsonPath(column, path):
                return SQL("({})").format(
                    _IN_JSON[attribute.type].format(self._place(column, path))
                )
            case JsonAny(column, path):
                return SQL("NULLIF({}, 'null'::jsonb)").format(self._place(column, path))
            case JsonKeys(column):
                return SQL("ARRAY(SELECT jsonb_object_keys({}.{}))").format(
                    self._row, Identifier(column)
                )
            case Metric(key, stat) if key in self._joined:
                return SQL("{}.{}").format(self._joined[key], Identifier(stat))
            case Metric(key, stat):
                return SQL(
                    "(SELECT m.{} FROM metric_latest m WHERE m.run = {}.id AND m.key = {})"
                ).format(Identifier(stat), self._row, self.bind(key, Type.STR))

    def _place(self, column: str, path: tuple[str, ...]) -> Composable:
        """A place inside a JSON column; the path is bound."""
        return SQL("({}.{} #> {}::text[])").format(
            self._row, Identifier(column), self.bind(list(path))
        )

    def _joined_by(self, word: SQL, items: tuple[Formula, ...]) -> Composed:
        return Composed([_OPEN, word.join(self.where(item) for item in items), _CLOSE])

    def _leaf(self, atom: Atom, *, maybe: bool) -> Composable:
        if not maybe and (found := self._of_metric(atom)) is not None:
            return found
        test = self._atom(atom)
        return Composed([_OPEN, _OPEN, test, _MAYBE] if maybe else [_OPEN, test, _CLOSE])

    def _of_metric(self, atom: Atom) -> Composable | None:
        """A comparison of a metric as a semi-join, which the planner can begin with."""
        source = atom.left.attribute.source if isinstance(atom.left, Ref) else None
        if not isinstance(source, Metric) or source.key in self._joined:
            return None
        if not isinstance(atom.right, Value):
            return None
        value = SQL("m.{}").format(Identifier(source.stat))
        test = Composed([value, _SYMBOLS[atom.operator], self._operand(atom.right)])
        return _METRIC.format(row=self._row, key=self.bind(source.key, Type.STR), test=test)

    def _atom(self, atom: Atom) -> Composable:
        left = self._operand(atom.left)
        if atom.right is None:
            return Composed([left, _SYMBOLS[atom.operator]])
        operator = atom.operator.removeprefix("not ")
        test = self._test(operator, atom, left)
        return SQL("NOT ({})").format(test) if operator != atom.operator else test

    def _test(self, operator: str, atom: Atom, left: Composable) -> Composable:
        assert atom.right is not None
        if operator == "in":
            return self._membership(atom.left, atom.right, left)
        right = self._operand(atom.right)
        if operator == "overlap":
            return self._nonempty(atom.left, atom.right, Composed([left, SQL(" && "), right]))
        if operator == "prefix":
            return SQL("starts_with({}, {})").format(left, right)
        if operator in ORDERED and atom.left.type is Type.STR:
            left = Composed([left, _AS_BYTES])
        return Composed([left, _SYMBOLS[operator], right])

    def _membership(self, element: Operand, whole: Operand, shown: Composable) -> Composable:
        """`@>` uses an index, but calls an unknown element no member: CASE keeps it unknown."""
        if isinstance(whole, Value):
            return Composed([shown, _ANY, self._operand(whole), _CLOSE])
        source = whole.attribute.source if isinstance(whole, Ref) else None
        if isinstance(element, Value) and isinstance(source, JsonKeys):
            column = Identifier(source.column)
            return SQL("jsonb_exists({}.{}, {})").format(self._row, column, shown)
        test = SQL("{} @> ARRAY[{}]").format(self._operand(whole), shown)
        if element.nullable:
            return SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(shown, test)
        return self._nonempty(element, whole, test)

    def _nonempty(self, left: Operand, right: Operand, test: Composable) -> Composable:
        """The same test, for the planner: of a set that is mostly empty it knows that much only.

        Without this it takes one row in 200 for a match, reads in order, and finds nothing.
        """
        for one, other in ((left, right), (right, left)):
            source = other.attribute.source if isinstance(other, Ref) else None
            if isinstance(one, Value) and isinstance(source, Column):
                return Composed([self._operand(other), _NOT_EMPTY, test])
        return test

    def _operand(self, operand: Operand) -> Composable:
        match operand:
            case Ref(attribute=attribute):
                return self.attribute(attribute)
            case Value(type_, value):
                return self.bind(value, type_)
            case Shifted(ref, by_us):
                return SQL("({} + {} * interval '1 microsecond')").format(
                    self.attribute(ref.attribute), self.bind(by_us, Type.INT)
                )


_SYMBOLS = {
    **{operator: SQL(f" {operator} ") for operator in ORDERED},
    "==": SQL(" = "),
    "!=": SQL(" <> "),
    "is None": SQL(" IS NULL"),
    "is not None": SQL(" IS NOT NULL"),
}
