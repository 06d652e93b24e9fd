"""docs/policies.md says what is: its example is a policy, and each shipped one is described."""

import re
from pathlib import Path

from policies.cases import failures
from policies.document import read_policy
from policies.pdp import PolicySet
from policies.shipped import shipped_policies

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()


def test_the_example_is_a_policy_that_passes_its_tests_among_the_shipped_ones() -> None:
    example = read_policy(PAGE.partition("```yaml\n")[2].partition("```")[0])
    shipped = [read_policy(text) for text in shipped_policies().values()]
    others = [document for document in shipped if document.policy != example.policy]
    assert example.tests
    assert failures([example], PolicySet([*others, example])) == []


def test_each_shipped_policy_is_described() -> None:
    section = PAGE.partition("## What a new platform begins with")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall("`(.*?)`", " ".join(cells))) == sorted(shipped_policies())
