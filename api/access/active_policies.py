"""The policies that are active now, from the record; read again when the record has changed."""

import asyncio

import structlog

from domain.aggregate import Aggregate
from domain.errors import DomainError, Invalid
from domain.policy import Policy
from infra.event_codec import decode
from infra.event_log.log import EventLog
from policies.document import PolicyDocument, read_policy
from policies.pdp import PolicySet

_PAGE = 500

_log = structlog.get_logger(__name__)


class ActivePolicies:
    """Follows the policies' events; everything that decides asks it for the present set."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._position = 0
        self._policies: dict[str, Policy] = {}
        self._documents: dict[str, PolicyDocument] = {}
        self._set: PolicySet | None = None
        self._stale = True
        self._reading = asyncio.Lock()

    def noticed(self, ids: frozenset[str]) -> None:
        """Hear which aggregates have new events."""
        if any(id_.startswith("policy-") for id_ in ids):
            self._stale = True

    async def current(self) -> PolicySet:
        """The active policies as one. Raises DomainError `policies-broken`: nothing is decided."""
        if self._stale or self._set is None:
            async with self._reading:
                if self._stale or self._set is None:
                    self._stale = False
                    try:
                        await self._read()
                        self._set = PolicySet(self._active())
                    except BaseException as error:
                        self._stale, self._set = True, None
                        raise _refused(error) from error
        return self._set

    async def with_change(self, name: str, text: str | None) -> tuple[PolicySet, PolicySet]:
        """The present set, and the set with one policy replaced, added or (None) left out.

        Raises PolicyError for a text that does not compile together with the others.
        """
        now = await self.current()
        others = [document for document in now.documents if document.policy != name]
        return now, await asyncio.to_thread(_with, others, text)

    async def newest(self) -> PolicySet:
        """The active policies as the record has them at this moment, whoever wrote it."""
        self._stale = True
        return await self.current()

    def _active(self) -> list[PolicyDocument]:
        proposals = [policy.active_proposal for policy in self._policies.values()]
        texts = {proposal.digest: proposal.text for proposal in proposals if proposal}
        self._documents = {
            digest: self._documents.get(digest) or read_policy(text)
            for digest, text in texts.items()
        }
        return list(self._documents.values())

    async def _read(self) -> None:
        layout = self._log.layout
        while messages := await self._log.read_after(
            self._position, _PAGE, layout.of_kind("policy")
        ):
            for message in messages:
                id_, version = layout.parse(message.subject)
                event = decode(str(id_), version, message.topic, message.payload)
                policy: Aggregate | None = event.mutate(self._policies.get(str(id_)))
                assert isinstance(policy, Policy)
                self._policies[policy.id] = policy
                self._position = message.position


def _with(others: list[PolicyDocument], text: str | None) -> PolicySet:
    return PolicySet(others if text is None else [*others, read_policy(text)])


def _refused(error: BaseException) -> BaseException:
    """A policy that no longer compiles closes everything: a denial must not be left out."""
    if not isinstance(error, Invalid):
        return error
    _log.error("active_policies_broken", error=error.detail)
    return DomainError(
        "an active policy cannot be read: nothing is allowed", code="policies-broken"
    )
