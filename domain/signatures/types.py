"""Types as data: what an annotation says once its names are looked up.

A type is text (`"int"`, `"any"`, `"object"`, `"self"`, `"never"`) or a tuple with its form first:

    ("class", name, (ancestor, ...), closed)   of a source; `closed` when all ancestors are known
    ("external", name)                         of a package whose source is not there
    ("list", item), ("dict", key, value), ...  a known container and its arguments
    ("tuple", first, ...), ("tuple*", item)    a fixed and an open tuple
    ("union", ...), ("literal", "int:1", ...)
    ("callable", (parameter, ...) or None, result), ("type", instance)
    ("newtype", name, base), ("typevar", name, bound), ("of", class, argument, ...)
    ("unknown", text)                          not understood

None is an annotation that is not there. In JSON, tuples are lists.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

Form: TypeAlias = tuple[Any, ...]
Type: TypeAlias = str | Form | None

ATOMS = frozenset(
    {"int", "float", "complex", "bool", "str", "bytes", "bytearray", "memoryview", "range", "slice"}
)

CONTAINERS = {
    **{name: name for name in ("list", "dict", "set", "frozenset", "tuple", "type")},
    **{name: name.lower() for name in ("List", "Dict", "Set", "Tuple", "Type")},
    "FrozenSet": "frozenset",
    "DefaultDict": "defaultdict",
    "Deque": "deque",
    **{
        name: name
        for name in (
            *("Sequence", "MutableSequence", "Iterable", "Iterator", "Collection", "Container"),
            *("Reversible", "Sized", "Hashable", "Mapping", "MutableMapping", "MutableSet"),
            *("Generator", "AsyncIterable", "AsyncIterator", "AsyncGenerator", "Awaitable"),
            *("Coroutine", "deque", "defaultdict", "OrderedDict", "Counter"),
        )
    },
}
"""Names of builtins, `typing` and `collections`, to the name that the types use."""

_MODULES = ("typing.", "collections.abc.", "collections.", "builtins.")


def container(name: str) -> str | None:
    """What a dotted name calls among the containers."""
    for prefix in _MODULES:
        if name.startswith(prefix):
            last = name[len(prefix) :]
            if prefix == "collections.abc." and last == "Set":
                return "AbstractSet"
            return "AbstractSet" if last == "AbstractSet" else CONTAINERS.get(last)
    return (
        CONTAINERS.get(name)
        if name in ("list", "dict", "set", "frozenset", "tuple", "type")
        else None
    )


def union(members: list[Type]) -> Type:
    """One of several, flat and without repetition."""
    flat: list[Type] = []
    for member in members:
        inner = member[1:] if isinstance(member, tuple) and member[0] == "union" else (member,)
        flat += [each for each in inner if each not in flat]
    return flat[0] if len(flat) == 1 else ("union", *flat)


def thaw(value: Any) -> Any:
    """A type read from JSON."""
    return tuple(map(thaw, value)) if isinstance(value, list) else value


def in_words(type_: Type) -> str:
    """A type as people write it."""
    if type_ is None:
        return "anything"
    if isinstance(type_, str):
        return {"any": "Any", "self": "Self", "never": "Never"}.get(type_, type_)
    form, *rest = type_
    write = _WRITERS.get(form)
    if write is not None:
        return write(rest)
    return f"{form}[{_listed(rest)}]" if rest else str(form)


_WRITERS: dict[str, Callable[[list[Any]], str]] = {
    **dict.fromkeys(
        ("class", "external", "newtype"),
        lambda rest: str(rest[0]).partition("#")[0].rpartition(".")[2],
    ),
    **dict.fromkeys(("typevar", "unknown"), lambda rest: str(rest[0])),
    "union": lambda rest: " | ".join(map(in_words, rest)),
    "literal": lambda rest: f"Literal[{', '.join(each.partition(':')[2] for each in rest)}]",
    "tuple*": lambda rest: f"tuple[{in_words(rest[0])}, ...]",
    "callable": lambda rest: f"Callable[{_parameters(rest[0])}, {in_words(rest[1])}]",
    "of": lambda rest: f"{in_words(rest[0])}[{_listed(rest[1:])}]",
}


def _parameters(types: Any) -> str:
    return "..." if types is None else f"[{_listed(types)}]"


def _listed(types: Any) -> str:
    return ", ".join(map(in_words, types))
