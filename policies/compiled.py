"""A formula as a Python function: generated source, constants by name, nothing of the text.

The source holds names of attributes of the schema (checked identifiers) and operators only.
"""

from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any as AnyValue

from policies.condition import Atom, Operand, Ref, Shifted, Value
from policies.formula import All, Any, Formula, Leaf
from policies.reduce import real, shifted
from policies.schema import Facts, Type

Decide = Callable[[Facts, Facts, Facts], bool]
"""Subject, entity, moment: each with all attributes of its schema."""

Compile = Callable[[Formula], Decide]
"""Makes the function that decides a formula."""

_FORMS = {
    **{operator: f"{{0}} {operator} {{1}}" for operator in ("==", "!=", "<", "<=", ">", ">=")},
    "in": "{0} in {1}",
    "not in": "{0} not in {1}",
    "overlap": "not {0}.isdisjoint({1})",
    "not overlap": "{0}.isdisjoint({1})",
    "prefix": "{0}.startswith({1})",
    "not prefix": "not {0}.startswith({1})",
    "is None": "{0} is None",
    "is not None": "{0} is not None",
}


def compiled_once(formula: Formula) -> Decide:
    """The function that decides the formula, for policies that are not in force: not remembered."""
    writer = _Writer()
    source = f"lambda sub, obj, env: {writer.formula(formula)}"
    code: CodeType = compile(source, "<policy>", "eval")
    function: Decide = eval(code, {"__builtins__": {}, **writer.names})  # noqa: S307 - see module
    return function


@lru_cache(maxsize=4096)
def compiled(formula: Formula) -> Decide:
    """The function that decides the formula; the same object for an equal formula."""
    return compiled_once(formula)


class _Writer:
    """Writes the source; what is no operator or attribute name goes into `names`."""

    def __init__(self) -> None:
        self.names: dict[str, AnyValue] = {"shifted": shifted, "real": real}

    def formula(self, formula: Formula) -> str:
        match formula:
            case Leaf(atom, maybe):
                return self._leaf(atom, maybe=maybe)
            case All(items):
                return self._joined(" and ", items) or "True"
            case Any(items):
                return self._joined(" or ", items) or "False"

    def _joined(self, word: str, items: tuple[Formula, ...]) -> str:
        return word.join(f"({self.formula(item)})" for item in items)

    def _leaf(self, atom: Atom, *, maybe: bool) -> str:
        operands = [self._operand(o) for o in (atom.left, atom.right) if o is not None]
        test = _FORMS[atom.operator].format(*operands)
        if not atom.nullable:
            return test
        sides = zip((atom.left, atom.right), operands, strict=False)
        nullable = [source for side, source in sides if side is not None and side.nullable]
        if maybe:
            return " or ".join([*(f"{source} is None" for source in nullable), test])
        return " and ".join([*(f"{source} is not None" for source in nullable), test])

    def _operand(self, operand: Operand) -> str:
        match operand:
            case Ref(root, name):
                source = f"{root}[{self._constant(name)}]"
                return f"real({source})" if operand.type is Type.FLOAT else source
            case Shifted(ref, by_us):
                return f"shifted({self._operand(ref)}, {by_us})"
            case Value(value=value):
                return self._constant(value)

    def _constant(self, value: AnyValue) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name
