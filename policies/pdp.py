"""The decision point: all active policies as one, a decider per kind and action, casbin the gate.

Casbin gets two rows for each decider, one that allows and one that denies, whose conditions are
keys of compiled formulas: it never sees the text of a rule. Its effect, some allow and no deny, is
the combining of the policies; the compiled formula must agree with it, or nothing is permitted.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import casbin

from domain.sandbox import Level, strongest
from policies.compiled import Compile, Decide, compiled
from policies.document import ALL, Effect, PolicyDocument
from policies.errors import PolicyError
from policies.formula import Formula, all_of, any_of, negation
from policies.invariant import SAYS, upheld
from policies.kinds import ACTIONS, SCHEMAS
from policies.schema import Facts, Schema
from policies.subject import SUBJECT, with_declared
from policies.tree import (
    CompiledPolicy,
    CompiledRule,
    Pair,
    compile_policy,
    deny_overrides,
)

_MODEL = """
[request_definition]
r = sub, obj, act, env
[policy_definition]
p = kind, act, cond, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = holds(p.cond, r.sub, r.obj, r.env)
"""

_EVERYTHING = tuple((kind, action) for kind, actions in ACTIONS.items() for action in actions)

logging.getLogger("casbin.enforcer").disabled = True  # it warns of each denial


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer to one request, and what decided it."""

    permitted: bool
    policy: str | None = None
    rule: str | None = None
    says: str = ""
    obligations: tuple[str, ...] = ()
    sandbox: Level = Level.NONE
    """The least level of isolation, where it is permitted."""

    @property
    def because(self) -> str:
        """Why, or why not, for the caller; names the rule, never its text."""
        if self.permitted:
            named = f"rule `{self.rule}` of policy `{self.policy}` permits it"
            return named if self.rule is not None else self.says or "nothing denies it"
        if self.rule is None:
            return "no rule permits it"
        reason = f"rule `{self.rule}` of policy `{self.policy}` denies it"
        return f"{reason}: {self.says}" if self.says else reason


class Decider:
    """Decides one action on one kind of entity; functions are made when first asked for."""

    def __init__(
        self,
        kind: str,
        action: str,
        policies: Sequence[CompiledPolicy],
        compile_: Compile = compiled,
    ) -> None:
        self.kind = kind
        self.action = action
        self.policies = policies
        self.schema: Schema = SCHEMAS[kind]
        self._compile = compile_
        self._pair = deny_overrides([policy.pair for policy in policies])
        permits = any_of(policy.pair.permits for policy in policies)
        self._rows = upheld(Pair(permits, self._pair.denies), kind)
        self.permits: Formula = all_of([self._rows.permits, negation(self._rows.denies)])
        self.masks = _masks(policies)
        self.obligations = tuple(sorted({o for p in policies for o in p.document.obligations}))

    @cached_property
    def decide(self) -> Decide:
        """The compiled formula: for many decisions in memory."""
        return self._compile(self.permits)

    def rule(self, sub: Facts, obj: Facts, env: Facts) -> Ruling:
        """The checked decision. What goes wrong in deciding is a denial."""
        by_casbin = self.enforce(sub, obj, env)
        by_formula = self.decide(sub, obj, env)
        if by_casbin is not by_formula:
            raise DecisionsDiffer(f"{self.kind}.{self.action}: casbin says {by_casbin}")
        if not by_formula:
            return self._denial(sub, obj, env)
        if not self._by_policies(sub, obj, env):
            return Ruling(True, says=SAYS, obligations=self.obligations)
        policy, rule = self._decisive(Effect.PERMIT, sub, obj, env)
        least = strongest([level for level, applies in self._demands if applies(sub, obj, env)])
        return Ruling(True, policy, rule.id if rule else None, "", self.obligations, least)

    def enforce(self, sub: Facts, obj: Facts, env: Facts) -> bool:
        """Casbin's answer."""
        veiled = _Veiled(sub), _Veiled(obj), self.action, _Veiled(env)
        return bool(self._enforcer.enforce(*veiled))

    def _denial(self, sub: Facts, obj: Facts, env: Facts) -> Ruling:
        policy, rule = self._decisive(Effect.DENY, sub, obj, env)
        if rule is None:
            return Ruling(False, obligations=self.obligations)
        return Ruling(False, policy, rule.id, rule.says, self.obligations)

    def _decisive(
        self, effect: Effect, sub: Facts, obj: Facts, env: Facts
    ) -> tuple[str | None, CompiledRule | None]:
        """The first rule of this effect that acts."""
        for policy, rule, acts in self._rules:
            if rule.effect is effect and acts(sub, obj, env):
                return policy, rule
        return None, None

    @cached_property
    def _demands(self) -> list[tuple[Level, Decide]]:
        """The levels that policies demand, with where each does."""
        return [
            (policy.document.demand.sandbox, self._compile(policy.applies))
            for policy in self.policies
            if policy.document.demand is not None
        ]

    @cached_property
    def _by_policies(self) -> Decide:
        return self._compile(self._pair.permits)

    @cached_property
    def _allows(self) -> Decide:
        return self._compile(self._rows.permits)

    @cached_property
    def _denies(self) -> Decide:
        return self._compile(self._rows.denies)

    @cached_property
    def _rules(self) -> list[tuple[str, CompiledRule, Decide]]:
        """All rules with the policy they are of."""
        return [
            (policy.document.policy, rule, self._compile(rule.acts))
            for policy in self.policies
            for rule in policy.rules
        ]

    @cached_property
    def _enforcer(self) -> casbin.Enforcer:
        model = casbin.Model()
        model.load_model_from_text(_MODEL)
        enforcer = casbin.Enforcer(model)
        functions = {"permits": self._allows, "denies": self._denies}
        enforcer.add_function(
            "holds", lambda key, sub, obj, env: functions[key](sub.facts, obj.facts, env.facts)
        )
        enforcer.add_policy(self.kind, self.action, "permits", "allow")
        enforcer.add_policy(self.kind, self.action, "denies", "deny")
        assert enforcer.enabled, "a disabled enforcer permits everything"
        return enforcer


class _Veiled:
    """Facts without text: casbin spells each request out for its log, which costs and tells."""

    __slots__ = ("facts",)

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def __repr__(self) -> str:
        return "facts"


class DecisionsDiffer(Exception):
    """Casbin and the compiled formula disagree: a fault of ours, and a denial."""


class PolicySet:
    """All policies that are active at one time.

    `only` names kinds with the actions that will be asked for, where that is not all of them.
    Raises PolicyError for policies that do not compile, or not with each other.
    """

    def __init__(
        self,
        documents: Iterable[PolicyDocument],
        only: Collection[tuple[str, str]] | None = None,
        compile_: Compile = compiled,
    ) -> None:
        self.documents = sorted(documents, key=lambda document: document.policy)
        self.subject = SUBJECT
        for document in self.documents:
            self.subject = _merged(self.subject, with_declared(document), document)
        wanted = _EVERYTHING if only is None else only
        compiled_ = [
            (actions, compile_policy(document, SCHEMAS[kind]))
            for document in self.documents
            for kind, actions in governed(document).items()
            if any((kind, action) in wanted for action in actions)
        ]
        self.deciders: Mapping[tuple[str, str], Decider] = {
            (kind, action): Decider(
                kind,
                action,
                [p for its, p in compiled_ if action in its and p.schema.kind == kind],
                compile_,
            )
            for kind, action in wanted
        }

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digest of each policy, by name."""
        return {document.policy: document.digest for document in self.documents}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all policies: two processes with the same digest decide the same."""
        lines = "\n".join(f"{name} {digest}" for name, digest in self.digests.items())
        return sha256(lines.encode()).hexdigest()

    def decider(self, kind: str, action: str) -> Decider:
        """The decider of an action on a kind. Raises KeyError for what does not exist."""
        return self.deciders[kind, action]


def _merged(all_: Schema, one: Schema, document: PolicyDocument) -> Schema:
    for name, attribute in one.attributes.items():
        before = all_.attributes.get(name, attribute)
        if before != attribute:
            message = f"`{name}` is a {before.type} in another policy, here a {attribute.type}"
            raise PolicyError(message, f"{document.policy}/subject")
    return Schema(all_.kind, all_.table, {**all_.attributes, **one.attributes})


def governed(document: PolicyDocument) -> dict[str, Sequence[str]]:
    """The kinds that a policy governs, with its actions on each. Raises PolicyError."""
    everything = document.entity == [ALL]
    kinds = list(SCHEMAS) if everything else document.entity
    for kind in kinds:
        if kind not in SCHEMAS:
            message = f"there is no `{kind}`; there are {', '.join(SCHEMAS)}"
            raise PolicyError(message, f"{document.policy}/entity")
    found = {kind: _actions(document, kind, some=everything) for kind in kinds}
    if not any(found.values()):
        raise PolicyError("no kind has one of these actions", f"{document.policy}/actions")
    return found


def _actions(document: PolicyDocument, kind: str, *, some: bool) -> Sequence[str]:
    if document.actions == [ALL]:
        return ACTIONS[kind]
    for action in document.actions:
        if action not in ACTIONS[kind] and not some:
            message = f"a {kind} has no `{action}`; it has {', '.join(ACTIONS[kind])}"
            raise PolicyError(message, f"{document.policy}/actions")
    return [action for action in document.actions if action in ACTIONS[kind]]


def _masks(policies: Sequence[CompiledPolicy]) -> dict[str, Formula]:
    fields = sorted({name for policy in policies for name in policy.masks})
    return {
        name: all_of(policy.masks[name] for policy in policies if name in policy.masks)
        for name in fields
    }
