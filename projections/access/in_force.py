"""The policies in force as texts and as one set, and what a change of them would make of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from domain.errors import Invalid
from policies.compiled import Compile, compiled
from policies.document import PolicyDocument, read_policy
from policies.pdp import PolicySet

_document = lru_cache(maxsize=512)(read_policy)


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides, and by name the texts that it comes from.

    Where these cannot be read, or not together, `broken` says why. A denial must not be left out,
    so nothing is permitted then but what `policies.invariant` upholds.
    """

    policies: PolicySet
    texts: Mapping[str, str]
    unreadable: list[str] = field(default_factory=list)
    broken: str | None = None

    def changed(
        self,
        name: str,
        document: PolicyDocument | None,
        only: Collection[tuple[str, str]] | None = None,
        compile_: Compile = compiled,
    ) -> tuple[PolicySet, PolicySet]:
        """The present set, and one with a policy replaced, added or (None) left out.

        Policies that cannot be read are left out of both, so that they can be mended one by one.
        Raises PolicyError for one that does not compile together with the others.
        """
        others = {other: text_ for other, text_ in self.texts.items() if other != name}
        if self.broken is None:
            old, documents = self.policies, [_document(text_) for text_ in others.values()]
        else:
            old, documents = PolicySet(_fitting(self.texts)), _fitting(others)
        added = [] if document is None else [document]
        return old, PolicySet([*documents, *added], only, compile_)


def in_force(texts: Mapping[str, str]) -> InForce:
    """The policies of these texts, given by name."""
    try:
        return InForce(PolicySet(_document(text) for text in texts.values()), texts)
    except Invalid as error:
        fitting = {document.policy for document in _fitting(texts)}
        unreadable = sorted(texts.keys() - fitting)
        return InForce(PolicySet([]), texts, unreadable, error.detail)


def _fitting(texts: Mapping[str, str]) -> list[PolicyDocument]:
    """The policies that can be read and fit each other; of two that do not, the first by name."""
    kept: list[PolicyDocument] = []
    for _, text in sorted(texts.items()):
        kept += _one_more(kept, text)
    return kept


def _one_more(kept: list[PolicyDocument], text: str) -> list[PolicyDocument]:
    try:
        document = _document(text)
        PolicySet([*kept, document])
    except Invalid:
        return []
    return [document]
