"""Policies as YAML: what reads as something else than it seems, or does not end, is refused."""

import pytest

from policies.compiled import compiled
from policies.document import Effect, PolicyDocument, read_policy, rules_of
from policies.errors import PolicyError
from policies.formula import MAX_DEPTH, MAX_LEAVES, negation
from policies.kinds import RUN
from policies.reduce import reduced
from policies.sql import SqlWriter
from policies.tree import compile_policy

HEAD = "policy: p\nentity: run\nactions: [read]\n"
RULE = "{id: a, effect: permit, when: 'True'}"
POLICY = f"{HEAD}root:\n  combine: deny-overrides\n  rules:\n    - {RULE}\n"


def with_rules(*rules: str, combine: str = "deny-overrides") -> str:
    return f"{HEAD}root:\n  combine: {combine}\n  rules: [{', '.join(rules)}]\n"


def rule(number: int, *, when: str = "True") -> str:
    """Permits and denials by turns."""
    effect = "permit" if number % 2 else "deny"
    return f'{{id: r{number}, effect: {effect}, when: "{when}"}}'


def nested(levels: int, inside: str = RULE, combine: str = "first-applicable") -> str:
    for _ in range(levels):
        inside = f"{{combine: {combine}, rules: [{inside}]}}"
    return f"{HEAD}root: {inside}\n"


def refusal(text: str) -> str:
    with pytest.raises(PolicyError) as refused:
        read_policy(text)
    assert refused.value.code == "invalid-policy"
    assert refused.value.detail.encode(), "what is shown can be sent"
    return refused.value.detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (f"{POLICY}summary: &a x\nobligations: [*a]\n", "not YAML: aliases are not allowed"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "not YAML: aliases are not allowed"),
        ("a: &a\n  <<: *a\n", "not YAML: aliases are not allowed"),
        (f"{POLICY}policy: q\n", "not YAML: `policy` is there twice"),
        (POLICY.replace("id: a", "effect: deny, id: a"), "not YAML: `effect` is there twice"),
        (POLICY.replace("id: a", '"effect": deny, id: a'), "not YAML: `effect` is there twice"),
        ("!!python/object/apply:os.system ['true']", "not YAML: could not determine a constructor"),
        (f"{POLICY}summary: !!python/name:os.system\n", "not YAML: could not determine"),
        (f"{POLICY}summary: !secret x\n", "not YAML: could not determine a constructor"),
        (f"{POLICY}---\n{POLICY}", "not YAML: expected a single document"),
        ("? [a]\n: 1\n", "not YAML: while constructing a mapping"),
        ("a: [", "not YAML: while parsing a flow node"),
        ("a: \0", "not YAML: unacceptable character #x0000"),
        ("a: \ud800", "not YAML: unacceptable character #xd800"),
        (f"a: {'1' * 60_000}", "not YAML: Exceeds the limit"),
        ("[" * 1_000, "not YAML: maximum recursion depth exceeded"),
        ("{a: " * 1_000, "not YAML: maximum recursion depth exceeded"),
        (nested(400), "not YAML: maximum recursion depth exceeded"),
        ("#" * 1_000_000, "more than 65536 bytes"),
        ("é" * 40_000, "more than 65536 bytes"),
        ("", "a policy is a mapping with `policy`, `entity`, `root`, …"),
        ("[]", "a policy is a mapping with `policy`, `entity`, `root`, …"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str, detail: str) -> None:
    assert refusal(text).startswith(f"policy: {detail}")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (
            POLICY.replace("permit", "Deny"),
            "root.rules.0.effect: Input should be 'permit' or 'deny'",
        ),
        (POLICY.replace("permit", "allow"), "root.rules.0.effect: Input should be"),
        (POLICY.replace("permit", "[permit]"), "root.rules.0.effect: Input should be"),
        (POLICY.replace("deny-overrides", "Deny-Overrides"), "root.combine: Input should be"),
        (POLICY.replace("effect", "efect"), "root.rules.0.effect: Field required"),
        (POLICY.replace("id: a", "id: a, wen: x"), "root.rules.0.wen: Extra inputs"),
        (POLICY.replace("'True'", "True"), "root.rules.0.when: Input should be a valid string"),
        (POLICY.replace("'True'", f"'{'a' * 2_001}'"), "root.rules.0.when: String should have at"),
        (POLICY.replace("id: a", "id: A b"), "root.rules.0.id: String should match pattern"),
        (f"{POLICY}rool: 1\n", "rool: Extra inputs are not permitted"),
        (f"{POLICY}obligations: [email]\n", "obligations.0: Input should be 'record'"),
        (f"{POLICY}subject: {{level: time}}\n", "subject.level: Input should be 'str', 'int'"),
        (f'{POLICY}summary: "\\uD800"\n', "policy.summary: holds NUL or half a character"),
        (f"{POLICY}tests: [{{expect: maybe}}]\n", "tests.0.expect: Input should be 'permit'"),
        (POLICY.replace("policy: p", "policy: 2024-01-01"), "policy: String should match pattern"),
        (POLICY.replace("policy: p", "policy: 1"), "policy: Input should be a valid string"),
        (
            f"{HEAD}root: {{combine: deny-overrides, rules: []}}\n",
            "root.rules: List should have at",
        ),
        (with_rules(RULE, RULE), "root: two rules are called `a`"),
        (nested(11), "root: nested deeper than 10 levels"),
        (nested(60), "policy.root.rules.0.rules.0.rules.0"),
        (with_rules(*map(rule, range(501))), "root.rules: List should have at most 500 items"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(text: str, detail: str) -> None:
    assert refusal(text).startswith(detail)


def test_rules_are_counted_over_the_whole_tree() -> None:
    halves = [", ".join(map(rule, range(first, first + 251))) for first in (0, 251)]
    nodes = [f"{{combine: deny-overrides, rules: [{half}]}}" for half in halves]
    assert refusal(with_rules(*nodes)) == "root: 502 rules, at most 500"


def test_equal_ids_are_found_in_different_nodes() -> None:
    node = f"{{combine: deny-overrides, rules: [{RULE}]}}"
    assert refusal(with_rules(RULE, node)) == "root: two rules are called `a`"


def test_a_policy_is_read_as_it_is_written() -> None:
    document = read_policy(nested(10))
    assert [one.effect for one in rules_of(document.root)] == [Effect.PERMIT]
    assert (document.entity, document.actions) == (["run"], ["read"])


def test_comments_and_layout_do_not_change_the_digest() -> None:
    flow = (
        '# read by anyone\n{root: {rules: [{when: "True", id: a, effect: permit}],\n'
        "  combine: deny-overrides}, actions: read, entity: [run], policy: p}\n"
    )
    assert read_policy(flow).digest == read_policy(POLICY).digest


@pytest.mark.parametrize(
    "other",
    [
        POLICY.replace("permit", "deny"),
        POLICY.replace("'True'", "'True '"),
        POLICY.replace("read", "note"),
        f"{POLICY}obligations: [record]\n",
        f"{POLICY}subject: {{level: int}}\n",
        f"{POLICY}mask: [{{fields: [name], when: 'True'}}]\n",
    ],
)
def test_what_a_policy_means_changes_the_digest(other: str) -> None:
    assert read_policy(other).digest != read_policy(POLICY).digest


def compile_refusal(document: PolicyDocument) -> str:
    with pytest.raises(PolicyError) as refused:
        compile_policy(document, RUN)
    return refused.value.detail


def test_a_tree_that_grows_too_large_when_compiled_is_refused() -> None:
    """Nested first-applicable repeats what is below it, in ever more places."""
    numbers = iter(range(500))

    def leaf() -> str:
        number = next(numbers)
        owners = [f"r.obj.owner == '{number}{letter}'" for letter in "abcdef"]
        return rule(number, when=" or ".join(owners))

    def node(levels: int) -> str:
        inner = ", ".join(node(levels - 1) if levels else leaf() for _ in range(2))
        return f"{{combine: first-applicable, rules: [{inner}]}}"

    document = read_policy(f"{HEAD}root: {node(6)}\n")
    assert compile_refusal(document) == f"tree: compiled, it has more than {MAX_LEAVES} comparisons"


def alternating(rules: int) -> PolicyDocument:
    owners = [rule(n, when=f"r.obj.owner == 'u{n}'") for n in range(rules)]
    return read_policy(with_rules(*owners, combine="first-applicable"))


def test_a_tree_as_deep_as_allowed_can_be_used() -> None:
    permits = compile_policy(alternating(MAX_DEPTH), RUN).pair.permits
    assert permits.depth >= MAX_DEPTH - 1
    decide = compiled(reduced(negation(negation(permits)), {}))
    assert [decide({}, {"owner": f"u{n}"}, {}) for n in range(4)] == [False, True, False, True]
    assert SqlWriter().where(permits).as_string(None).count("(") < 10 * MAX_DEPTH


def test_a_tree_that_grows_too_deep_when_compiled_is_refused() -> None:
    document = alternating(MAX_DEPTH + 10)
    detail = f"tree: compiled, it is nested deeper than {MAX_DEPTH} levels"
    assert compile_refusal(document) == detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (POLICY.replace("'True'", "'r.obj.nope'"), "p/a: `r.obj.nope` is unknown; did you mean"),
        (f"{POLICY}mask: [{{fields: [nam], when: 'True'}}]\n", "p/mask: `nam` is unknown; did you"),
        (f"{POLICY}mask: [{{fields: [name], when: 'nam'}}]\n", "p/mask of name: `nam` is none of"),
        (
            f"{POLICY}subject: {{admin: bool}}\n",
            "subject: `admin` is an attribute of every subject",
        ),
        (POLICY.replace("rules:", "target: r.obj\n  rules:"), "p/target: `r.obj` is none of"),
    ],
)
def test_a_rule_that_does_not_parse_is_refused_by_its_name(text: str, detail: str) -> None:
    assert compile_refusal(read_policy(text)).startswith(detail)
