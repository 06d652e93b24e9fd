"""Decisions as the record keeps them, where policies oblige to keep them."""

from domain.decision import Decision
from policies.access import Access
from policies.pdp import Ruling
from policies.schema import Facts
from projections.access.facts import plain


def recorded_as(
    id_: str, access: Access, kind: str, entity: str, action: str, facts: Facts, ruling: Ruling
) -> Decision | None:
    """What is to be recorded, under an id, of a ruling on an entity; None if nothing is."""
    if "record" not in ruling.obligations:
        return None
    governing = access.policies.decider(kind, action).policies
    digests = access.policies.digests
    return Decision.record(
        id_,
        subject=plain(access.subject),
        kind=kind,
        entity=entity,
        action=action,
        object=plain(facts),
        env=plain(access.env),
        permitted=ruling.permitted,
        rule=ruling.rule,
        policy=ruling.policy,
        policies={p.document.policy: digests[p.document.policy] for p in governing},
        policy_set=access.policies.digest,
    )
