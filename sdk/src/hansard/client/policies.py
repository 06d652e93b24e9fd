"""Policies: read, proposed, put in force, questioned; and the decisions that were recorded."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hansard.client import reference
from hansard.client.effect import Emission, Emit, Flow
from hansard.client.listing import Listed
from hansard.client.operation import S, iteration, operation
from hansard.client.policy_results import (
    Changes,
    Decision,
    Difference,
    Explanation,
    Policy,
    PolicyStep,
    Proposed,
    Tested,
    Verification,
)
from hansard.client_errors import Invalid

_NAME_LINE = re.compile(
    r"""^policy:\s*["']?([a-z][a-z0-9-]{0,62})["']?\s*(?:#.*)?$""", re.MULTILINE
)
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Supposition:
    """A user as they might become: what is None stays. Roles are by project."""

    attributes: Mapping[str, Any] | None = None
    groups: Sequence[str] | None = None
    roles: Mapping[str, str] | None = None

    def members(self) -> dict[str, Any]:
        """What is supposed, as the API takes it."""
        all_ = {"attributes": self.attributes, "groups": self.groups, "roles": self.roles}
        return {name: value for name, value in all_.items() if value is not None}


class Policies(Listed[S, Policy]):
    """Who may do what: YAML texts, by name."""

    kind = "policy"
    result = Policy

    @operation
    def history(self, name: str) -> Flow[tuple[PolicyStep, ...]]:
        """What happened to a policy, oldest first. Raises NotFound."""
        answer = yield from self._session.get(self._path(name, "history"))
        return tuple(PolicyStep.model_validate(item) for item in answer["items"])

    @operation
    def schema(self) -> Flow[dict[str, Any]]:
        """What policies and filters can speak of: attributes and actions of each kind."""
        answer: dict[str, Any] = yield from self._session.get(self._path("schema"))
        return answer

    @operation
    def propose(self, text: str, comment: str = "") -> Flow[Proposed]:
        """Propose a text under the name it carries. Raises Invalid with the place, Forbidden."""
        name = policy_name(text)
        body = {"text": text, "comment": comment}
        path = self._path(name, "proposals")
        answer = yield from self._session.write("POST", path, body, key=True)
        if "number" not in answer:  # a repeat, whose first answer was lost
            policy = yield from self._read(name)
            made = next(p for p in reversed(policy.proposals) if p.text == text)
            answer |= {"number": made.number, "digest": made.digest}
        return Proposed.model_validate(answer)

    @operation
    def approve(self, name: str, number: int) -> Flow[Policy]:
        """Agree to somebody else's proposal. Raises Conflict, Forbidden."""
        return (yield from self._step(name, f"proposals/{number}/approve", None))

    @operation
    def activate(self, name: str, number: int, confirm_loss: int = 0) -> Flow[Policy]:
        """Put a proposal in force.

        Raises Conflict: `policy-tests-failed`, `lock-out`, or `loss-unconfirmed` where users lose
        more rows than `confirm_loss`.
        """
        body = {"confirm_loss": confirm_loss}
        return (yield from self._step(name, f"proposals/{number}/activate", body))

    @operation
    def retire(self, name: str, reason: str, confirm_loss: int = 0) -> Flow[Policy]:
        """Put a policy out of force. Raises Conflict as `activate` does."""
        body = {"reason": reason, "confirm_loss": confirm_loss}
        return (yield from self._step(name, "retire", body))

    @operation
    def test(self, text: str) -> Flow[Tested]:
        """Run the tests in a text among the policies in force. Raises Invalid with the place."""
        answer = yield from self._session.question(self._path("test"), {"text": text})
        return Tested.model_validate(answer)

    @operation
    def diff(self, name: str, number: int) -> Flow[Difference]:
        """A proposal against the text in force: lines, and rows gained and lost."""
        path = self._path(name, f"proposals/{number}/diff")
        answer = yield from self._session.question(path, {})
        return Difference.model_validate(answer)

    @operation
    def explain(
        self, entity: str, action: str = "read", subject: str | None = None
    ) -> Flow[Explanation]:
        """Why a user, the caller if none is named, may or may not do something to an entity.

        `entity` is an id or `KIND/NAME`. Raises NotFound, Forbidden.
        """
        id_ = yield from reference.resolve_any(self._session, entity)
        user = yield from self._user(subject)
        body = {"subject": user, "action": action, "entity": id_}
        answer = yield from self._session.question(self._path("explain"), body)
        return Explanation.model_validate(answer)

    @iteration
    def who_can(self, action: str, entity: str) -> Emission[str]:
        """The ids of the users who may do something to an entity (an id or `KIND/NAME`)."""
        id_ = yield from reference.resolve_any(self._session, entity)
        body = {"action": action, "entity": id_, "limit": _PAGE}
        cursor: str | None = None
        while True:
            question = {**body, "cursor": cursor}
            page = yield from self._session.question(self._path("who-can"), question)
            for item in page["items"]:
                yield Emit(item["id"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    @operation
    def what_if(
        self,
        text: str | None = None,
        *,
        suppose: Supposition | None = None,
        subject: str | None = None,
        kind: str = "run",
        action: str = "read",
    ) -> Flow[Changes]:
        """What a user, the caller if none is named, would gain and lose by a text or a supposition.

        Counted and shown is what the caller may see. Raises Forbidden, Invalid.
        """
        user = yield from self._user(subject)
        body: dict[str, Any] = {"subject": user, "kind": kind, "action": action, "text": text}
        if suppose is not None:
            body["attributes"] = suppose.members()
        answer = yield from self._session.question(self._path("what-if"), body)
        return Changes.model_validate(answer)

    def _user(self, subject: str | None) -> Flow[str | None]:
        if subject is None:
            return None
        return (yield from reference.resolve(self._session, "user", subject))

    def _step(self, name: str, step: str, body: Mapping[str, Any] | None) -> Flow[Policy]:
        yield from self._session.write("POST", self._path(name, step), body, key=True)
        return (yield from self._read(name))


class Decisions(Listed[S, Decision]):
    """Decisions that were recorded; `subject=`, `entity=` and `action=` choose some."""

    kind = "decision"
    result = Decision

    @operation
    def verify(self, ref: str) -> Flow[Verification]:
        """Decide again, from the record alone, and compare. Raises NotFound."""
        answer = yield from self._session.question(self._path(ref, "verify"), {})
        return Verification.model_validate(answer)


def policy_name(text: str) -> str:
    """The name that a policy's text carries. Raises Invalid.

    >>> policy_name("policy: reading\\nentity: run\\n")
    'reading'
    """
    found = _NAME_LINE.search(text)
    if found is None:
        raise Invalid("the text names no policy: it needs a line such as `policy: reading`")
    return found[1]
