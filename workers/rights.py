"""Who may have which room now: users, groups and policies as the record has them at this moment."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from domain.aggregate import Aggregate
from domain.group import Group
from domain.policy import Policy
from domain.run import Run
from domain.scheduling import Limits
from domain.user import User
from infra.event_codec import decode
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage
from policies.access import Access
from policies.kinds import SCHEMAS
from policies.subject import subject_values
from projections.access.in_force import InForce, in_force

_KINDS = ("user", "group", "policy")
_PAGE = 1000
_LAYOUT = Layout()

_log = structlog.get_logger(__name__)


class Rights:
    """Follows the events of users, groups and policies."""

    def __init__(self, events: BulkReader) -> None:
        self._events = events
        self._positions = dict.fromkeys(_KINDS, 0)
        self._known: dict[str, Aggregate] = {}
        self._in_force: InForce | None = None
        self._limits: dict[str, Limits] | None = None

    async def follow(self) -> None:
        """Read what has changed."""
        await asyncio.to_thread(self._read)

    @property
    def limits(self) -> Mapping[str, Limits]:
        """The limits of all users and groups that have attributes."""
        if self._limits is None:
            holders = (each for each in self._known.values() if isinstance(each, User | Group))
            self._limits = {
                each.id: Limits.of(each.attributes) for each in holders if each.attributes
            }
        return self._limits

    def refusal(self, run: Run) -> str | None:
        """Why whoever asked for a run may not have the room for it any more; None if they may."""
        user = self._known.get(run.created_by)
        if not isinstance(user, User):
            return "whoever asked for it is not known"
        if run.group is not None and run.group not in user.groups:
            return "whoever asked for it is not in the group that it counts for any more"
        ruling = self._access(user).ruling("allocation", "allocate", _asked(run))
        return None if ruling.permitted else f"not allowed any more: {ruling.because}"

    def grounds(self, run: Run) -> dict[str, Any]:
        """For whom a run counts, and the attributes that this was decided by, for the record."""
        holders = [id_ for id_ in (run.group, run.created_by) if id_ is not None]
        attributes = {
            id_: holder.attributes
            for id_ in holders
            if isinstance(holder := self._known.get(id_), User | Group)
        }
        return {"account": holders[0], "attributes": attributes}

    def _access(self, user: User) -> Access:
        if self._in_force is None:
            policies = [each for each in self._known.values() if isinstance(each, Policy)]
            active = {policy.name: policy.active_proposal for policy in policies}
            self._in_force = in_force({name: p.text for name, p in active.items() if p})
        policies_now = self._in_force.policies
        groups = [self._known.get(id_) for id_ in user.groups]
        values = subject_values(user, [group for group in groups if isinstance(group, Group)])
        return Access(policies_now, policies_now.subject.facts(values), datetime.now(UTC))

    def _read(self) -> None:
        for kind in _KINDS:
            read, subjects = self._events.read_after, _LAYOUT.of_kind(kind)
            while messages := read(self._positions[kind], _PAGE, subjects):
                for message in messages:
                    self._fold(message)
                    self._positions[kind] = message.position
                self._limits = None
                if kind == "policy":
                    self._in_force = None

    def _fold(self, message: LogMessage) -> None:
        id_, version = _LAYOUT.parse(message.subject)
        try:
            event = decode(str(id_), version, message.topic, message.payload)
            found: Aggregate | None = event.mutate(self._known.get(str(id_)))
        except Exception as error:  # noqa: BLE001 - who cannot be read has no rights; others do
            _log.error("rights_not_folded", entity=str(id_), error=str(error))
            self._known.pop(str(id_), None)
            return
        assert found is not None
        self._known[found.id] = found


def _asked(run: Run) -> dict[str, Any]:
    asked = {**run.resources, "project": run.project}
    return SCHEMAS["allocation"].facts({**asked, "pool": run.pool, "priority": run.priority})
