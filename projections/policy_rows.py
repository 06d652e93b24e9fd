"""How events change the rows of policies and of the decisions they led to."""

from projections.read_event import ReadEvent
from projections.rows import Handler, Row

_SHOWN = ("kind", "entity", "action", "permitted", "rule", "policy", "policy_set")
_DETAIL = ("subject", "object", "env", "policies")


def _policy_born(row: Row, event: ReadEvent) -> None:
    row.update(event.data, active=None, active_digest=None, proposals=[])


def _policy_proposed(row: Row, event: ReadEvent) -> None:
    proposal = {**event.data, "at": event.time, "approved_by": []}
    row["proposals"] = [*row["proposals"], proposal]


def _policy_approved(row: Row, event: ReadEvent) -> None:
    number, by = event.data["number"], event.data["by"]
    row["proposals"] = [
        {**p, "approved_by": [*p["approved_by"], by]} if p["number"] == number else p
        for p in row["proposals"]
    ]


def _policy_activated(row: Row, event: ReadEvent) -> None:
    row.update(active=event.data["number"], active_digest=event.data["digest"])


def _policy_retired(row: Row, event: ReadEvent) -> None:
    row.update(active=None, active_digest=None)


def _decision_recorded(row: Row, event: ReadEvent) -> None:
    row.update({name: event.data[name] for name in _SHOWN})
    row["subject"] = event.data["subject"]["id"]
    row["detail"] = {name: event.data[name] for name in _DETAIL}


POLICY_HANDLERS: dict[str, Handler] = {
    "policy.created.v1": _policy_born,
    "policy.proposed.v1": _policy_proposed,
    "policy.approved.v1": _policy_approved,
    "policy.activated.v1": _policy_activated,
    "policy.retired.v1": _policy_retired,
    "decision.recorded.v1": _decision_recorded,
}
