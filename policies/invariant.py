"""What no policy can take away: enabled administrators do everything with the policies.

The guard against a lock-out: whatever is activated, somebody can activate something else.
"""

from policies.condition import Atom, Ref, Value
from policies.formula import FALSE, Formula, Leaf, all_of, any_of, negation
from policies.schema import Type
from policies.subject import SUBJECT
from policies.tree import Pair

KIND = "policy"
SAYS = "administrators may always do this with policies"


def _holds(name: str) -> Formula:
    return Leaf(Atom("==", Ref("sub", name, SUBJECT.attributes[name]), Value(Type.BOOL, True)))


GOVERNS = all_of([_holds("active"), _holds("admin")])
"""Where the subject is an enabled administrator."""


def always_permitted(kind: str) -> Formula:
    """Where every action on a kind is permitted, whatever the policies say."""
    return GOVERNS if kind == KIND else FALSE


def upheld(pair: Pair, kind: str) -> Pair:
    """Where policies permit and deny, once the invariant is upheld."""
    always = always_permitted(kind)
    return Pair(any_of([always, pair.permits]), all_of([negation(always), pair.denies]))
