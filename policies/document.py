"""A policy as people write it: YAML, read without aliases, repeated keys or surprises."""

import json
from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.plain_data import flaw
from domain.sandbox import Level
from policies.errors import PolicyError

ALL = "all"

MAX_TEXT = 64 * 1024
MAX_RULES = 500
MAX_DEPTH = 10

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Text = Annotated[str, Field(max_length=2000)]


class Effect(StrEnum):
    """What a rule does where its condition holds."""

    PERMIT = "permit"
    DENY = "deny"


class Combine(StrEnum):
    """How a node combines what is below it."""

    DENY_OVERRIDES = "deny-overrides"
    PERMIT_OVERRIDES = "permit-overrides"
    FIRST_APPLICABLE = "first-applicable"
    PERMIT_UNLESS_DENY = "permit-unless-deny"
    DENY_UNLESS_PERMIT = "deny-unless-permit"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """Permits or denies where its condition holds."""

    id: Slug
    effect: Effect
    when: Text
    says: Text = ""  # for people


class Node(_Part):
    """Rules and further nodes, combined; the target guards all of them."""

    combine: Combine
    target: Text = "True"
    rules: list["Rule | Node"] = Field(min_length=1, max_length=MAX_RULES)


class Mask(_Part):
    """Fields shown only where the condition is true."""

    fields: list[Name] = Field(min_length=1, max_length=100)
    when: Text


class Demand(_Part):
    """What must be true of the node wherever the target of the policy is not false."""

    sandbox: Level


class Case(_Part):
    """An embedded test: activation is refused while one fails."""

    name: Text = ""
    entity: Name | None = None
    action: Name | None = None
    sub: dict[str, Any] = {}
    obj: dict[str, Any] = {}
    now: str | None = None
    expect: Effect


class PolicyDocument(_Part):
    """One policy: for which entities and actions, its tree, masks, obligations, demand and tests.

    `entity: all` stands for every kind that has one of the actions, `actions: all` for each.
    """

    policy: Slug
    summary: Text = ""
    entity: list[Name] = Field(min_length=1, max_length=50)
    actions: list[Name] = Field(min_length=1, max_length=50)
    subject: dict[Name, Literal["str", "int", "bool", "set"]] = {}
    root: Node
    mask: list[Mask] = Field(default=[], max_length=50)
    obligations: list[Literal["record"]] = []
    demand: Demand | None = None
    tests: list[Case] = Field(default=[], max_length=500)

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical form: comments and layout do not count.

        Policies of before there were demands keep theirs.
        """
        without = {"demand"} if self.demand is None else None
        form = self.model_dump(mode="json", exclude=without)
        text = json.dumps(form, sort_keys=True, ensure_ascii=False)
        return sha256(text.encode()).hexdigest()


def read_policy(text: str) -> PolicyDocument:
    """The document in a YAML text. Raises PolicyError saying what is wrong, and where."""
    if len(text.encode(errors="replace")) > MAX_TEXT:
        raise PolicyError(f"more than {MAX_TEXT} bytes", "policy")
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, stricter still
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PolicyError(f"not YAML: {_first_line(error)}", "policy") from None
    if (found := flaw(raw)) is not None:
        raise PolicyError(found[1], f"policy{found[0]}")
    if not isinstance(raw, dict):
        raise PolicyError("a policy is a mapping with `policy`, `entity`, `root`, …", "policy")
    one = {name: [raw[name]] for name in ("entity", "actions") if isinstance(raw.get(name), str)}
    raw = {**raw, **one}
    try:
        document = PolicyDocument.model_validate(raw)
    except (ValidationError, RecursionError) as error:
        raise _refusal(error) from None
    _check_tree(document.root)
    return document


def rules_of(node: Node) -> Iterator[Rule]:
    """All rules of a tree, in order."""
    for item in node.rules:
        if isinstance(item, Rule):
            yield item
        else:
            yield from rules_of(item)


def _check_tree(root: Node) -> None:
    if _depth(root) > MAX_DEPTH:
        raise PolicyError(f"nested deeper than {MAX_DEPTH} levels", "root")
    ids = [rule.id for rule in rules_of(root)]
    if len(ids) > MAX_RULES:
        raise PolicyError(f"{len(ids)} rules, at most {MAX_RULES}", "root")
    for id_ in ids:
        if ids.count(id_) > 1:
            raise PolicyError(f"two rules are called `{id_}`", "root")


def _depth(node: Node) -> int:
    return 1 + max((_depth(item) for item in node.rules if isinstance(item, Node)), default=0)


def _refusal(error: ValidationError | RecursionError) -> PolicyError:
    if isinstance(error, RecursionError):
        return PolicyError("nested too deeply", "root")
    # A rule that is neither a rule nor a node fails as both: the deepest place is the one meant.
    found = max(error.errors(), key=lambda e: len(e["loc"]))
    steps = [str(step) for step in found["loc"] if step not in ("Rule", "Node")]
    return PolicyError(found["msg"], ".".join(steps) or "policy")


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


class _Loader(yaml.SafeLoader):
    """Safe, and without aliases (they explode), times (text here), repeated and merged keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in keys or name == "<<":
                raise yaml.YAMLError(f"`{name}` is there twice" if name in keys else "no merging")
            keys.add(name)
        return super().construct_mapping(node, deep)
