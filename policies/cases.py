"""Embedded tests of policies: each case decided by all policies it would be active among."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from policies.document import Case, Effect, PolicyDocument
from policies.errors import PolicyError
from policies.kinds import SCHEMAS
from policies.pdp import PolicySet, governed
from policies.schema import Schema, Type

_WITHOUT: dict[Type, Any] = {
    Type.STR: "",
    Type.INT: 0,
    Type.BOOL: False,
    Type.TIME: datetime(2000, 1, 1, tzinfo=UTC),
    Type.SET: (),
}
"""What a case leaves out of what is always there; nothing that any rule would grant on."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that came out otherwise than expected."""

    policy: str
    case: str
    expected: str
    because: str


def failures(documents: Sequence[PolicyDocument], policies: PolicySet) -> list[Failure]:
    """The cases of these documents that the policies do not decide as expected.

    Raises PolicyError for a case that makes no sense.
    """
    return [
        failure
        for document in documents
        for number, case in enumerate(document.tests, 1)
        if (failure := _failure(document, number, case, policies)) is not None
    ]


def _failure(
    document: PolicyDocument, number: int, case: Case, policies: PolicySet
) -> Failure | None:
    where = f"{document.policy}/tests.{number}"
    kind, action = _meant(document, case, where)
    sub = _facts(policies.subject, {"active": True, "id": "somebody", **case.sub}, f"{where}.sub")
    obj = _facts(SCHEMAS[kind], {"visibility": "private", **case.obj}, f"{where}.obj")
    env = {"now": _time(case.now or "2030-01-01T00:00:00Z", f"{where}.now")}
    decider = policies.decider(kind, action)
    permitted = decider.decide(sub, obj, env)
    if permitted is (case.expect is Effect.PERMIT):
        return None
    ruling = decider.rule(sub, obj, env)
    return Failure(document.policy, case.name or f"number {number}", case.expect, ruling.because)


def _meant(document: PolicyDocument, case: Case, where: str) -> tuple[str, str]:
    found = governed(document)
    kind = case.entity or next(iter(found))
    if kind not in found:
        raise PolicyError(f"the policy does not govern `{kind}`", where)
    action = case.action or found[kind][0]
    if action not in found[kind]:
        raise PolicyError(f"the policy does not govern `{action}` on a {kind}", where)
    return kind, action


def _facts(schema: Schema, given: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    named = {name: value for name, value in given.items() if name != "visibility"}
    for name in named.keys() - schema.attributes.keys():
        raise PolicyError(f"a {schema.kind} has no attribute `{name}`", where)
    values = {}
    for name, attribute in schema.attributes.items():
        value = given.get(name)
        if value is None and not attribute.nullable:
            value = _WITHOUT[attribute.type]
        elif isinstance(value, str) and attribute.type is Type.TIME:
            value = _time(value, f"{where}.{name}")
        values[name] = value
    found = schema.facts(values)
    for name in given.keys() & values.keys():
        if values[name] is not None and found[name] is None:
            raise PolicyError(f"`{name}` is no {schema.attributes[name].type}", where)
    return found


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise PolicyError("not an ISO 8601 time", where) from None
    if time.tzinfo is None:
        raise PolicyError("a time needs its zone, such as a final Z", where)
    return time
