"""Commands on policies: propose, approve, activate, retire.

What is in force is changed by one command at a time: each takes over a name that the change before
it holds, so that two that fit the present policies but not each other cannot both succeed.
"""

from api.access.guard import Guard
from api.commands.policy_checks import PolicyChecks
from domain.aggregate import Aggregate
from domain.errors import Conflict, Invalid
from domain.name import NameReservation, reservation_id
from domain.policy import Policy, Proposal, policy_id
from infra.event_log.errors import VersionConflict
from infra.event_store import AlreadyDone, Session
from policies.cases import failures
from policies.document import PolicyDocument, read_policy
from policies.pdp import PolicySet

_TURN = reservation_id("platform", "policy-set", "active")
_PREFIX = "policy-"


def id_of(name: str) -> str:
    """The id behind a policy's name; an id stands for itself. Raises Invalid."""
    return policy_id(name.removeprefix(_PREFIX))


def named(id_: str) -> str:
    """The name in a policy's id."""
    return id_.removeprefix(_PREFIX)


def read_named(name: str, text: str) -> PolicyDocument:
    """The policy in a text, which must be the one of this name. Raises PolicyError and Invalid."""
    document = read_policy(text)
    if document.policy != name:
        raise Invalid(
            f"this is the text of `{document.policy}`, not of `{name}`",
            code="invalid-policy",
            where="policy",
        )
    return document


def check_cases(document: PolicyDocument, policies: PolicySet) -> None:
    """Raise PolicyError where an embedded test makes no sense; it may fail for now."""
    failures([document], policies)


async def find_or_begin(session: Session, id_: str, *, repeats: bool = True) -> Policy:
    """The policy, or a new one that is not saved yet."""
    return await session.find(Policy, id_, repeats=repeats) or Policy.create(named(id_))


async def propose(
    session: Session, guard: Guard, id_: str, document: PolicyDocument, text: str, comment: str
) -> tuple[int, int]:
    """Propose a text, for a new policy too; answers the proposal's number and the position."""
    policy = await find_or_begin(session, id_)
    await guard.require(session, policy, "propose")
    number = policy.propose(text, document.digest, comment, session.actor)
    begun = not policy.created_by
    try:
        return number, await session.save(policy)
    except (AlreadyDone, Conflict):
        if begun:  # by somebody else meanwhile, perhaps with another text: look at it again
            raise VersionConflict(id_) from None
        raise


async def approve(
    session: Session, guard: Guard, checks: PolicyChecks, id_: str, number: int, token: str | None
) -> int:
    """Agree to somebody else's proposal, by means of a token.

    Raises Forbidden where four eyes are asked for and somebody else has issued the token.
    """
    policy = await guard.load(session, Policy, id_, "approve")
    await checks.require_own(session, token)
    policy.approve(number, session.actor)
    return await session.save(policy)


async def activate(
    session: Session, guard: Guard, checks: PolicyChecks, id_: str, number: int, confirmed: int
) -> int:
    """Put a proposal in force.

    Raises Conflict `unapproved`, `policy-tests-failed`, `lock-out` and `loss-unconfirmed`, and
    PolicyError for a text that does not compile with the others any more.
    """
    policy = await guard.load(session, Policy, id_, "activate")
    proposal = policy.proposal(number)
    checks.require_approval(proposal)
    turn = await _turn(session, policy)
    loss = await checks.loss(session, guard, policy, proposal.text, confirmed)
    policy.activate(number, loss)
    return await session.save(policy, turn)


async def retire(
    session: Session, guard: Guard, checks: PolicyChecks, id_: str, reason: str, confirmed: int
) -> int:
    """Put a policy out of force; refused for the reasons that activation is refused for."""
    policy = await guard.load(session, Policy, id_, "retire")
    checks.require_approval(None)
    turn = await _turn(session, policy)
    policy.retire(reason)
    await checks.loss(session, guard, policy, None, confirmed)
    return await session.save(policy, turn)


async def proposed(session: Session, guard: Guard, id_: str, number: int) -> tuple[str, Proposal]:
    """The text in force (empty if there is none) and a proposal, for who may approve it."""
    policy = await guard.load(session, Policy, id_, "approve", repeats=False)
    active = policy.active_proposal
    return active.text if active else "", policy.proposal(number)


async def _turn(session: Session, policy: Policy) -> Aggregate:
    """The name that whoever changes what is in force takes from who did so before."""
    turn = await session.find(NameReservation, _TURN, repeats=False)
    if turn is None:
        return NameReservation.reserve(_TURN, policy.id)
    turn.release()
    turn.take(policy.id)
    return turn
