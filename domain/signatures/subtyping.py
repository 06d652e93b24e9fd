"""Whether a value of one type may go where another is wanted: yes, no, or nobody can tell."""

from enum import IntEnum
from functools import lru_cache

from domain.signatures.types import ATOMS, Form, Type


class Answer(IntEnum):
    """Worst first, so that `min` is the answer for all of several, `max` for any."""

    NO = -1
    UNKNOWN = 0
    YES = 1


_NUMBERS = {("bool", "int"), ("bool", "float"), ("bool", "complex"), ("int", "float")} | {
    ("int", "complex"),
    ("float", "complex"),
}
_PARENTS = {
    "list": "MutableSequence",
    "deque": "MutableSequence",
    "MutableSequence": "Sequence",
    "tuple*": "Sequence",
    "Sequence": "Reversible",
    "Reversible": "Iterable",
    "dict": "MutableMapping",
    "defaultdict": "dict",
    "OrderedDict": "dict",
    "MutableMapping": "Mapping",
    "set": "MutableSet",
    "MutableSet": "AbstractSet",
    "frozenset": "AbstractSet",
    "AbstractSet": "Collection",
    "Collection": "Iterable",
    "Generator": "Iterator",
    "Iterator": "Iterable",
    "AsyncGenerator": "AsyncIterator",
    "AsyncIterator": "AsyncIterable",
    "Coroutine": "Awaitable",
}
"""One step up, keeping the first argument; `_step` tells the exceptions."""
_COLLECTIONS = frozenset({"Sequence", "AbstractSet", "Mapping"})
_INVARIANT = frozenset(
    {"list", "deque", "MutableSequence", "set", "MutableSet", "dict", "MutableMapping"}
) | {"defaultdict", "OrderedDict", "Counter"}
_STRUCTURAL = frozenset({"Sized", "Hashable", "Container", "Iterable", "Collection", "Reversible"})
_KNOWN = frozenset({*_PARENTS, *_PARENTS.values(), *_INVARIANT, *_STRUCTURAL, "tuple"})


@lru_cache(65536)
def flows(given: Type, wanted: Type) -> Answer:
    """Whether each value of type `given` may go where `wanted` is asked for."""
    if wanted in ("object", "any"):
        return Answer.YES
    if given is None or wanted is None or given == "any":
        return Answer.UNKNOWN
    if given == wanted:
        return Answer.YES if _settled(given) else Answer.UNKNOWN
    if given == "never":
        return Answer.YES
    if isinstance(given, tuple) and given[0] == "union":
        return min(flows(member, wanted) for member in given[1:])
    if isinstance(wanted, tuple) and wanted[0] == "union":
        return max(flows(given, member) for member in wanted[1:])
    return _of_forms(given, wanted)


def same(one: Type, other: Type) -> Answer:
    """Whether two types are the same, as what can be changed in place demands."""
    return min(flows(one, other), flows(other, one))


def _of_forms(given: Type, wanted: Type) -> Answer:
    special = _special(given, wanted)
    if special is not None:
        return special
    match given, wanted:
        case str(), str():
            return Answer.YES if (given, wanted) in _NUMBERS else Answer.NO
        case ("class", _, ancestors, closed), ("class", name, _, _):
            if name in ancestors:
                return Answer.YES
            return Answer.NO if closed and not _same_name(given[1], name) else Answer.UNKNOWN
        case ("class", _, ancestors, closed), str():
            return _named(wanted, ancestors, closed=closed)
        case str(), ("class", *_):
            return Answer.NO if given in ATOMS or given == "None" else Answer.UNKNOWN
        case ("of", inner, *_), ("class", *_):
            return Answer.YES if flows(inner, wanted) is Answer.YES else Answer.UNKNOWN
        case _:
            return _containers(given, wanted)


def _special(given: Type, wanted: Type) -> Answer | None:
    """For forms that say the same whatever is on the other side."""
    match given, wanted:
        case (_, ("typevar", _, bound)):
            return Answer.YES if bound == "object" else flows(given, bound)
        case (("typevar", _, bound), _):
            return Answer.YES if flows(bound, wanted) is Answer.YES else Answer.UNKNOWN
        case (("unknown" | "external", _), _) | (_, ("unknown" | "external", _)):
            return Answer.UNKNOWN
        case ("self" | "object", _) | (_, "self" | "never"):
            return Answer.UNKNOWN
        case (("newtype", _, base), _):
            return flows(base, wanted)
        case (_, ("newtype", _, base)):
            return Answer.NO if flows(given, base) is Answer.NO else Answer.UNKNOWN
        case _:
            return _literals(given, wanted)


def _literals(given: Type, wanted: Type) -> Answer | None:
    match given, wanted:
        case (("literal", *values), ("literal", *allowed)):
            return Answer.YES if set(values) <= set(allowed) else Answer.NO
        case (("literal", *values), _):
            return min(flows(value.partition(":")[0], wanted) for value in values)
        case ("bool", ("literal", *allowed)) if {"bool:True", "bool:False"} <= set(allowed):
            return Answer.YES
        case (str(), ("literal", *_)):
            return Answer.NO
        case _:
            return None


def _named(wanted: str, ancestors: tuple[str, ...], *, closed: bool) -> Answer:
    if any(each == wanted or (each, wanted) in _NUMBERS for each in ancestors):
        return Answer.YES
    return Answer.NO if closed else Answer.UNKNOWN


def _same_name(one: str, other: str) -> bool:
    """Classes of two bundles with one name: perhaps two states of the same source."""
    return one.partition("#")[0] == other.partition("#")[0]


def _containers(given: Type, wanted: Type) -> Answer:
    if not isinstance(wanted, tuple):
        return _into_atom(given, wanted)
    match wanted[0]:
        case "callable":
            return _callables(given, wanted)
        case "type":
            inner = given[1:] if isinstance(given, tuple) and given[0] == "type" else ()
            return flows(inner[0], wanted[1]) if inner and wanted[1:] else Answer.UNKNOWN
        case "Sized" | "Hashable" | "Container":
            return Answer.UNKNOWN
        case form if form in _KNOWN:
            return _into_known(given, wanted)
        case _:
            return Answer.UNKNOWN


def _into_known(given: Type, wanted: Form) -> Answer:
    if isinstance(given, str):
        return _atom_into(given, wanted)
    if given is not None and given[0] in ("tuple", "tuple*") and wanted[0] in ("tuple", "tuple*"):
        return _tuples(given, wanted)
    return _upwards(given, wanted)


def _into_atom(given: Type, wanted: Type) -> Answer:
    """A container is neither a number nor text nor None."""
    known = isinstance(given, tuple) and given[0] in _KNOWN - _STRUCTURAL
    if known and (wanted == "None" or wanted in ATOMS):
        loose = {"Sequence", "Iterator", "Mapping", "AbstractSet"}
        return Answer.UNKNOWN if given is not None and given[0] in loose else Answer.NO
    return Answer.UNKNOWN


def _atom_into(given: str, wanted: Form) -> Answer:
    item: Type = {"str": "str", "bytes": "int", "range": "int"}.get(given)
    if item is not None:
        if wanted[0] in ("Sequence", "Reversible", "Iterable", "Collection"):
            return flows(item, wanted[1]) if len(wanted) == 2 else Answer.YES
        return Answer.NO
    return Answer.NO if given in ("int", "float", "complex", "bool", "None") else Answer.UNKNOWN


def _upwards(given: Type, wanted: Form) -> Answer:
    """Climb from a container to the one that is wanted."""
    if not isinstance(given, tuple) or given[0] not in _KNOWN:
        return Answer.UNKNOWN
    for step in _ancestry(given):
        if step[0] == wanted[0]:
            return _arguments(step, wanted)
    structural = wanted[0] in _STRUCTURAL or given[0] in _STRUCTURAL
    return Answer.UNKNOWN if structural or given[0] in ("Mapping", "Sequence") else Answer.NO


def _ancestry(given: Form) -> list[Form]:
    found = [given]
    while len(found) < 12:
        here = found[-1]
        up = _step(here)
        if up is None:
            break
        found.append(up)
        if here[0] in _COLLECTIONS:
            found.append(("Collection", *here[1:2]))
    return found


def _step(here: Form) -> Form | None:
    form, *arguments = here
    if form == "tuple":
        items = list(dict.fromkeys(arguments))
        return ("Sequence", items[0] if len(items) == 1 else ("union", *items)) if items else None
    if form == "Mapping":
        return ("Collection", *arguments[:1])
    parent = _PARENTS.get(str(form))
    if parent is None:
        return None
    if form in ("Generator", "AsyncGenerator"):
        return (parent, *arguments[:1])
    if form == "Coroutine":
        return (parent, *arguments[2:3])
    return (parent, *arguments)


def _arguments(given: Form, wanted: Form) -> Answer:
    if len(wanted) == 1:
        return Answer.YES
    if len(given) != len(wanted):
        return Answer.UNKNOWN
    pairs = list(zip(given[1:], wanted[1:], strict=True))
    if wanted[0] in _INVARIANT:
        return min(same(one, other) for one, other in pairs)
    if wanted[0] == "Mapping":
        (key, wanted_key), (value, wanted_value) = pairs
        return min(same(key, wanted_key), flows(value, wanted_value))
    if wanted[0] in ("Generator", "AsyncGenerator", "Coroutine"):
        return min(same(one, other) for one, other in pairs)
    return min(flows(one, other) for one, other in pairs)


def _tuples(given: Form, wanted: Form) -> Answer:
    if wanted == ("tuple*", "any"):
        return Answer.YES
    if wanted[0] == "tuple*":
        return min((flows(item, wanted[1]) for item in given[1:]), default=Answer.YES)
    if given[0] == "tuple*":
        return Answer.NO
    if len(given) != len(wanted):
        return Answer.NO
    pairs = zip(given[1:], wanted[1:], strict=True)
    return min((flows(one, other) for one, other in pairs), default=Answer.YES)


def _callables(given: Type, wanted: Form) -> Answer:
    if not isinstance(given, tuple) or given[0] != "callable":
        plain = isinstance(given, str) and (given in ATOMS or given == "None")
        return Answer.NO if plain else Answer.UNKNOWN
    result = flows(given[2], wanted[2])
    ours, theirs = given[1], wanted[1]
    if ours is None or theirs is None:
        return min(result, Answer.UNKNOWN)
    if len(ours) != len(theirs):
        return Answer.UNKNOWN if len(ours) > len(theirs) else Answer.NO
    pairs = zip(theirs, ours, strict=True)
    return min([result, *(flows(one, other) for one, other in pairs)])


def _settled(type_: Type) -> bool:
    """Whether it means the same on both sides."""
    if not isinstance(type_, tuple):
        return type_ not in ("any", None)
    match type_:
        case ("typevar" | "unknown", *_):
            return False
        case ("class", *_):
            return True
        case ("callable", parameters, result):
            return all(map(_settled, (*(parameters or ()), result)))
        case _:
            return all(_settled(each) for each in type_[1:] if isinstance(each, tuple))
