"""One method of a role against one of a candidate: which arguments arrive where, and their types.

Positional order and names both count: a parameter of the role that may be given either way must be
taken either way.
"""

from typing import Any

from domain.signatures.functions import (
    KEYWORD,
    KEYWORDS,
    NAMED,
    POSITIONAL,
    POSITIONALS,
    Function,
    Parameter,
)
from domain.signatures.subtyping import Answer, flows
from domain.signatures.types import Type, in_words

_OPEN_TYPES = (None, "any")


class Call:
    """Compares one way to call a role's method with the method that a candidate has."""

    def __init__(self, name: str, wanted: Function, offered: Function) -> None:
        self.wrong: list[str] = []
        self.unknown: list[str] = []
        self.fields: dict[str, Any] = {}
        self.required: list[str] = []
        self._name = name
        self._wanted = wanted
        self._offered = offered
        self._met: set[str] = set()
        self._placed: set[str] = set()

    def compare(self) -> None:
        """Fill `wrong`, `unknown`, and the `fields` that a user gives."""
        self._given_positionally()
        for each in self._wanted.by_keyword:
            self._by_keyword(each)
        rest, keywords = self._wanted.rest, self._wanted.keywords
        if rest is not None or keywords is not None:
            self._given_rest(rest, keywords)
        if len(self._met) < len(self._offered.parameters):
            self._extras(rest, keywords)
        self._result()

    def _given_positionally(self) -> None:
        there, rest = self._offered.positional, self._offered.rest
        for place, each in enumerate(self._wanted.positional):
            if place < len(there):
                self._at_place(each, there[place])
            elif rest is not None:
                self._type(each, rest)
                if each.kind == NAMED:
                    self._either_way(each)
            else:
                self._not_taken(each, f"as argument {place + 1} by position")

    def _either_way(self, wanted: Parameter) -> None:
        """By place it lands among the further arguments; by name it must land as well."""
        taken = self._offered.named.get(wanted.name)
        if taken is not None and taken.required:
            self._not_taken(wanted, "by position")
        elif taken is not None:
            self.unknown.append(f"`{self._name}` takes `{wanted.name}` in two ways")
        self._by_keyword(wanted)

    def _at_place(self, wanted: Parameter, taken: Parameter) -> None:
        self._met.add(taken.name)
        self._placed.add(taken.name)
        self._type(wanted, taken)
        if not wanted.required and taken.required:
            self._not_optional(taken)
        if wanted.kind == POSITIONAL:
            if taken.kind == NAMED and self._wanted.keywords is not None:
                self._twice(taken)
        elif taken.kind == POSITIONAL:
            if self._offered.keywords is None or taken.required:
                self._not_taken(wanted, "by name")
            else:
                self.unknown.append(f"`{self._name}` takes `{wanted.name}` in two ways")
        elif taken.name != wanted.name:
            self._renamed(wanted, taken)

    def _renamed(self, wanted: Parameter, taken: Parameter) -> None:
        """Another name at that place: by keyword it would have to arrive elsewhere as well."""
        if (
            self._offered.keywords is not None
            and not taken.required
            and wanted.name not in self._offered.named
        ):
            self.unknown.append(f"`{self._name}` takes `{wanted.name}` in two ways")
            return
        self.wrong.append(
            f"`{self._name}` calls `{taken.name}` what the role calls `{wanted.name}`"
        )

    def _by_keyword(self, wanted: Parameter) -> None:
        taken = self._offered.named.get(wanted.name)
        if taken is None and self._offered.keywords is not None:
            self._type(wanted, self._offered.keywords)
        elif taken is None:
            self._not_taken(wanted, "by name")
        else:
            self._met.add(taken.name)
            self._type(wanted, taken)
            if taken.required and not wanted.required:
                self._not_optional(taken)
            if taken.name in self._placed or (
                taken.kind == NAMED and self._wanted.rest is not None
            ):
                self._twice(taken)

    def _not_optional(self, taken: Parameter) -> None:
        self.wrong.append(
            f"`{self._name}` requires `{taken.name}`, which the role lets a caller leave out"
        )

    def _twice(self, taken: Parameter) -> None:
        """The role allows a call that gives one parameter by place and by name."""
        self.wrong.append(f"`{self._name}` could be given `{taken.name}` twice")

    def _given_rest(self, rest: Parameter | None, keywords: Parameter | None) -> None:
        """What the role lets a caller add freely."""
        for given, taken, what in (
            (rest, self._offered.rest, "arguments by position"),
            (keywords, self._offered.keywords, "arguments by name"),
        ):
            if given is None:
                continue
            if taken is not None:
                self._type(given, taken)
            elif given.type in _OPEN_TYPES or _is_unknown(given.type):
                self.unknown.append(f"the role may give `{self._name}` more {what} than it takes")
            else:
                self.wrong.append(f"`{self._name}` does not take further {what}")

    def _extras(self, rest: Parameter | None, keywords: Parameter | None) -> None:
        """Parameters that the role does not name: a user gives them, if a form can ask."""
        for each in self._offered.parameters:
            if each.name in self._met or each.kind in (POSITIONALS, KEYWORDS):
                continue
            reachable = keywords is not None or (rest is not None and each.kind != KEYWORD)
            if reachable:
                self._reachable(each, rest, keywords)
            elif each.schema is not None and each.kind != POSITIONAL:
                self.fields[each.name] = each.schema
                self.required += [each.name] if each.required else []
            elif each.required:
                of = f" ({in_words(each.type)})" if each.type is not None else ""
                self.wrong.append(
                    f"`{self._name}` requires `{each.name}`{of}, which the role does not give"
                )

    def _reachable(
        self, taken: Parameter, rest: Parameter | None, keywords: Parameter | None
    ) -> None:
        """One that the role's further arguments may or may not arrive in."""
        if taken.required:
            self.unknown.append(
                f"`{self._name}` requires `{taken.name}`, which the role may or may not give"
            )
        if rest is not None and keywords is not None and taken.kind == NAMED:
            self.unknown.append(f"`{self._name}` could be given `{taken.name}` twice")
        for given in (rest, keywords):
            if given is not None and given.type not in _OPEN_TYPES:
                self._type(given, taken)

    def _type(self, given: Parameter, taken: Parameter) -> None:
        answer = flows(given.type, taken.type)
        if answer is Answer.NO:
            self.wrong.append(
                f"`{taken.name}` of `{self._name}` takes {in_words(taken.type)}, "
                f"and the role gives {in_words(given.type)}"
            )
        elif answer is Answer.UNKNOWN:
            self.unknown.append(_untold(self._name, given.type, taken))

    def _not_taken(self, wanted: Parameter, how: str) -> None:
        self.wrong.append(f"`{self._name}` does not accept `{wanted.name}` {how}")

    def _result(self) -> None:
        wanted, offered = self._wanted, self._offered
        if wanted.asynchronous is not offered.asynchronous:
            self._other_kind()
            return
        if wanted.returns == "any":
            return
        answer = flows(offered.returns, wanted.returns)
        if answer is Answer.NO:
            self.wrong.append(
                f"`{self._name}` returns {in_words(offered.returns)}, "
                f"where the role wants {in_words(wanted.returns)}"
            )
        elif answer is Answer.UNKNOWN:
            self.unknown.append(self._untold_result())

    def _other_kind(self) -> None:
        """One is `async`: fine only if the other returns something to wait for, as written."""
        plain = self._wanted if self._offered.asynchronous else self._offered
        waits = isinstance(plain.returns, tuple) and plain.returns[0] in ("Awaitable", "Coroutine")
        if waits or (plain.returns in _OPEN_TYPES and plain is self._offered):
            self.unknown.append(f"`{self._name}` is async on one side only")
        elif self._offered.asynchronous:
            self.wrong.append(f"`{self._name}` is async, and the role's is not")
        else:
            self.wrong.append(f"`{self._name}` is not async, and the role's is")

    def _untold_result(self) -> str:
        if self._wanted.returns is None:
            return f"the role does not say what `{self._name}` returns"
        if self._offered.returns in _OPEN_TYPES:
            return f"`{self._name}` does not say what it returns"
        return (
            f"`{self._name}` returns {in_words(self._offered.returns)}, "
            f"the role wants {in_words(self._wanted.returns)}: nobody can tell whether that agrees"
        )


def _untold(name: str, given: Type, taken: Parameter) -> str:
    if taken.type is None:
        return f"`{taken.name}` of `{name}` has no type"
    if given in _OPEN_TYPES:
        return (
            f"the role may give `{name}` anything, and `{taken.name}` takes {in_words(taken.type)}"
        )
    return (
        f"`{taken.name}` of `{name}` takes {in_words(taken.type)}, the role gives "
        f"{in_words(given)}: nobody can tell whether that agrees"
    )


def _is_unknown(type_: Type) -> bool:
    return isinstance(type_, tuple) and type_[0] == "unknown"
