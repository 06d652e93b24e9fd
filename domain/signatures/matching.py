"""Whether what a class offers can stand in for what a slot asks: each call that the role allows
must be one that the candidate takes.

Parameters are contravariant, results covariant. What cannot be told is `unchecked`; `fits` is said
only where every call is bound to succeed in binding, and every type that both sides wrote agrees.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.signatures.calls import Call
from domain.signatures.functions import Function
from domain.signatures.members import Attribute
from domain.signatures.slots import Role
from domain.signatures.subtyping import Answer, flows, same
from domain.signatures.types import in_words, thaw

Verdict = Literal["fits", "unchecked", "refused"]

MAX_REASONS = 20


@dataclass(frozen=True, slots=True)
class Offer:
    """What a candidate offers.

    `open` says in words why it may offer more, `doubts` why it may be something else.
    """

    methods: Mapping[str, Function]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, signature: Mapping[str, Any]) -> "Offer":
        """From a signature of the present format."""
        return cls(
            {name: Function.of_json(each) for name, each in signature["methods"].items()},
            {
                name: Attribute(thaw(each["type"]), each["writable"])
                for name, each in signature["attributes"].items()
            },
            tuple(signature["open"]),
            tuple(signature["doubts"]),
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """A verdict with its reasons, and the schema of what a user must or may add, by method."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    fields: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """What a user must add, in words."""
        return [
            f"`{method}` requires `{name}`, which the role does not give"
            for method, form in self.fields.items()
            for name in form["required"]
        ]


def roles_of_slot(signature: Mapping[str, Any], slot: str) -> list[Role]:
    """The roles that a slot of an executor's signature asks for."""
    return [
        Role.of_json(name, signature["roles"][name]) for name in signature["slots"][slot]["roles"]
    ]


def match(roles: Iterable[Role], offer: Offer) -> Fit:
    """Whether an offer plays all of the roles."""
    found = _Comparison(offer)
    for role in roles:
        found.role(role)
    return found.fit()


class _Comparison:
    """Gathers what is wrong and what is unknown."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._wrong: list[str] = []
        self._unknown: list[str] = []
        self._fields: dict[str, dict[str, Any]] = {}

    def fit(self) -> Fit:
        """The verdict."""
        if self._wrong:
            return Fit("refused", tuple(dict.fromkeys(self._wrong))[:MAX_REASONS])
        fields = {name: each for name, each in self._fields.items() if each["properties"]}
        if self._unknown:
            return Fit("unchecked", tuple(dict.fromkeys(self._unknown))[:MAX_REASONS], fields)
        return Fit("fits", (), fields)

    def role(self, role: Role) -> None:
        """Compare every member of a role; where either side is in doubt, nothing is refused."""
        wrong = len(self._wrong)
        for name, wanted in role.methods.items():
            self._member(name, wanted)
        for name, attribute in role.attributes.items():
            self._attribute(name, attribute)
        asks = bool(role.methods or role.attributes)
        self._unknown += self._offer.open if asks else ()
        doubts = [*role.unchecked, *(self._offer.doubts if asks else ())]
        if doubts:
            self._unknown += [*doubts, *self._wrong[wrong:]]
            del self._wrong[wrong:]

    def _member(self, name: str, wanted: Function) -> None:
        if name.startswith("_") and not name.endswith("__"):
            self._unknown.append(f"`{name}` is private, and not looked at")
            return
        if wanted.how == "property":
            self._attribute(name, Attribute(wanted.returns, writable=False))
            return
        offered = self._offer.methods.get(name)
        if offered is None:
            self._without_method(name)
        elif offered.how == "property":
            self._callable_attribute(name, Attribute(offered.returns, writable=False))
        else:
            self._method(name, wanted, offered)

    def _without_method(self, name: str) -> None:
        attribute = self._offer.attributes.get(name)
        if attribute is not None:
            self._callable_attribute(name, attribute)
        elif self._offer.open:
            self._unknown.append(f"nobody can tell whether it has a method `{name}`")
        else:
            self._wrong.append(f"it has no method `{name}`")

    def _callable_attribute(self, name: str, attribute: Attribute) -> None:
        taken = flows(attribute.type, ("callable", None, "any"))
        if taken is Answer.NO:
            self._wrong.append(f"`{name}` is {in_words(attribute.type)} and no method")
        else:
            self._unknown.append(f"`{name}` is an attribute, not written as a method")

    def _method(self, name: str, wanted: Function, offered: Function) -> None:
        doubts = [*wanted.unchecked, *offered.unchecked]
        self._unknown += doubts
        ways = wanted.overloads or (wanted,)
        for way in ways:
            call = Call(name, way, offered)
            call.compare()
            (self._unknown if doubts else self._wrong).extend(call.wrong)
            self._unknown += call.unknown
            if len(ways) == 1:
                self._ask(name, call.fields, call.required)
            elif call.required:
                self._wrong += [
                    f"`{name}` requires `{each}`, which the role does not give"
                    for each in call.required
                ]

    def _ask(self, name: str, fields: Mapping[str, Any], required: Sequence[str]) -> None:
        form = self._fields.setdefault(
            name,
            {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        )
        form["properties"] = {**form["properties"], **fields}
        form["required"] = list(dict.fromkeys([*form["required"], *required]))

    def _attribute(self, name: str, wanted: Attribute) -> None:
        method = self._offer.methods.get(name)
        offered = self._offer.attributes.get(name)
        if method is not None and method.how == "property":
            self._unknown += method.unchecked
            offered = Attribute(method.returns, writable=False)
        elif method is not None:
            self._unknown.append(f"`{name}` is a method, where the role has an attribute")
            return
        if offered is None:
            if self._offer.open:
                self._unknown.append(f"nobody can tell whether it has an attribute `{name}`")
            else:
                self._wrong.append(f"it has no attribute `{name}`")
            return
        self._type_of_attribute(name, wanted, offered)

    def _type_of_attribute(self, name: str, wanted: Attribute, offered: Attribute) -> None:
        answer = flows(offered.type, wanted.type)
        if answer is Answer.NO:
            said = f"{in_words(offered.type)}, where the role wants {in_words(wanted.type)}"
            self._wrong.append(f"attribute `{name}` is {said}")
        elif answer is Answer.UNKNOWN:
            self._unknown.append(f"the type of attribute `{name}` is not known to be right")
        elif wanted.writable and same(offered.type, wanted.type) is not Answer.YES:
            self._unknown.append(f"attribute `{name}` may be set to what it does not take")
        elif wanted.writable and not offered.writable:
            self._unknown.append(f"attribute `{name}` may be read only")
