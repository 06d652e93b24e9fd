"""What must hold before other policies come into force: tests pass, nobody is locked out, and how
much people lose sight of is known to whoever wants it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg_pool import ConnectionPool

from api.access.guard import Guard
from domain.administrators import ADMINISTRATORS, Administrators
from domain.errors import Conflict, Forbidden
from domain.policy import Policy, Proposal
from domain.token import Token
from domain.user import User
from infra.database import Connection
from infra.event_store import Session
from infra.settings import Settings
from policies.kinds import SCHEMAS
from policies.pdp import PolicySet
from policies.questions import new_failures, stays_governed
from policies.schema import Facts
from projections.access.active_policies import ActivePolicies
from projections.access.facts import facts_of, subject_values
from projections.questions import Loss, losses

_SHOWN = 10
_ANYBODY = "user-ffffffff-ffff-7fff-bfff-ffffffffffff"


class PolicyChecks:
    """Refuses changes of what is in force."""

    def __init__(
        self, policies: ActivePolicies, pool: ConnectionPool[Connection], settings: Settings
    ) -> None:
        self._policies = policies
        self._pool = pool
        self._limit = settings.policy_loss_limit
        self._four_eyes = settings.policy_four_eyes

    def require_approval(self, proposal: Proposal | None) -> None:
        """Raise Conflict `unapproved` where four eyes are asked for and only two have looked.

        There is no approving a retirement: a text that permits nothing can be proposed instead.
        """
        if not self._four_eyes:
            return
        if proposal is None:
            raise Conflict(
                "four eyes are asked for: propose a text that permits and denies nothing instead",
                code="unapproved",
            )
        if not proposal.approved_by:
            raise Conflict(
                f"proposal {proposal.number} needs the approval of somebody else than its author",
                code="unapproved",
                number=proposal.number,
            )

    async def require_own(self, session: Session, token: str | None) -> None:
        """Raise Forbidden where four eyes are asked for and the caller did not issue the token.

        Whoever issues a token for somebody else knows it, and could look with both pairs of eyes.
        """
        if not self._four_eyes:
            return
        found = await session.find(Token, token or "", repeats=False)
        if found is None or found.created_by != session.actor:
            raise Forbidden(
                "four eyes are asked for: approve with a session or with a token that you have "
                "issued yourself"
            )

    async def loss(
        self, session: Session, guard: Guard, policy: Policy, text: str | None, confirmed: int
    ) -> int:
        """How many rows people lose sight of with this text, or with none, in force.

        Raises Conflict `policy-tests-failed`, `lock-out` and `loss-unconfirmed`, and PolicyError.
        """
        await self._policies.newest()
        old, new = await self._policies.with_change(policy.name, text)
        now = guard.access.env["now"]
        assert isinstance(now, datetime)
        await asyncio.to_thread(_check_tests, policy.name, old, new)
        await _check_governed(session, policy, new, now)
        stop = max(self._limit, confirmed)
        found = await asyncio.to_thread(self._measured, old, new, now, stop)
        lost = sum(loss.rows for loss in found)
        if lost > stop:
            raise _unconfirmed(lost, found)
        return lost

    def _measured(self, old: PolicySet, new: PolicySet, now: datetime, stop: int) -> list[Loss]:
        """Losses until there are more than `stop` rows."""
        found: list[Loss] = []
        with self._pool.connection() as connection:
            for loss in losses(connection, old, new, now):
                found.append(loss)
                if sum(known.rows for known in found) > stop:
                    break
        return found


def _check_tests(changed: str, old: PolicySet, new: PolicySet) -> None:
    found = new_failures(changed, old, new)
    if found:
        first = found[0]
        raise Conflict(
            f"{len(found)} embedded tests fail with this change, the first of policy "
            f"`{first.policy}` ({first.case}): expected {first.expected}, but {first.because}",
            code="policy-tests-failed",
            failures=[asdict(failure) for failure in found],
        )


async def _check_governed(
    session: Session, policy: Policy, policies: PolicySet, now: datetime
) -> None:
    """One of today's administrators still governs: this policy, their account, and others'."""
    roster = await session.find(Administrators, ADMINISTRATORS, repeats=False)
    policy_facts = [await facts_of(session, policy)]
    for id_ in roster.users if roster is not None else []:
        user = await session.find(User, id_, repeats=False)
        if user is None:
            continue
        values = await subject_values(session, user)
        subject = policies.subject.facts(values)
        objects = {"policy": policy_facts, "user": await _people(session, user)}
        if stays_governed(policies, [subject], objects, now):
            return
    raise Conflict(
        "with this change no administrator could change policies and users any more",
        code="lock-out",
    )


async def _people(session: Session, user: User) -> Sequence[Facts]:
    own: dict[str, Any] = {**await facts_of(session, user)}
    other = {**own, "id": _ANYBODY, "owner": _ANYBODY, "admin": False, "active": True}
    return [own, SCHEMAS["user"].facts(other)]


def _unconfirmed(lost: int, found: Sequence[Loss]) -> Conflict:
    samples = sorted(found, key=lambda loss: -loss.rows)[:_SHOWN]
    return Conflict(
        f"people would lose sight of {lost} rows or more: confirm that many with `confirm_loss`",
        code="loss-unconfirmed",
        lost=lost,
        samples=[asdict(loss) for loss in samples],
    )
