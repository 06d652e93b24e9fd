"""How events change the rows of subjects: users, groups, and what makes somebody one of them."""

from collections.abc import Iterable

from projections.read_event import ReadEvent
from projections.rows import Handler, Row, entity_born, of_entity, unseen

_EFFECTIVE = ("groups", "viewer_of", "contributor_of", "manager_of")
"""Columns that follow from groups as well; `projections.inherited` keeps them."""


def _without(event: ReadEvent, names: Iterable[str]) -> Row:
    return {name: value for name, value in event.data.items() if name not in names}


def _user_born(row: Row, event: ReadEvent) -> None:
    row.update(event.data, enabled=True, joined=[], roles={}, erased=False)
    row.update({name: [] for name in _EFFECTIVE})
    _see_administrator(row)


def _attributes_changed(row: Row, event: ReadEvent) -> None:
    row.update(event.data)
    _see_administrator(row)


def _user_enabled(enabled: bool) -> Handler:
    def handler(row: Row, event: ReadEvent) -> None:
        row["enabled"] = enabled
        _see_administrator(row)

    return handler


def _user_erased(row: Row, event: ReadEvent) -> None:
    row["erased"] = True


def _see_administrator(row: Row) -> None:
    row["admin"] = row["enabled"] and row["attributes"].get("admin") is True


def _user_joined(row: Row, event: ReadEvent) -> None:
    row["joined"] = sorted({*row["joined"], event.data["group"]})


def _user_left(row: Row, event: ReadEvent) -> None:
    row["joined"] = [group for group in row["joined"] if group != event.data["group"]]


def _role_granted(row: Row, event: ReadEvent) -> None:
    row["roles"] = {**row["roles"], event.data["project"]: event.data["role"]}


def _role_revoked(row: Row, event: ReadEvent) -> None:
    project = event.data["project"]
    row["roles"] = {held: role for held, role in row["roles"].items() if held != project}


def _group_born(row: Row, event: ReadEvent) -> None:
    entity_born(row, event)
    row["roles"] = {}


def _token_born(row: Row, event: ReadEvent) -> None:
    row.update(_without(event, ("user", "digest")), account=event.data["user"], revoked=False)


def _revoked(row: Row, event: ReadEvent) -> None:
    row["revoked"] = True


def _invitation_born(row: Row, event: ReadEvent) -> None:
    row.update(_without(event, ("digest",)), accepted=[], revoked=False)


def _invitation_accepted(row: Row, event: ReadEvent) -> None:
    row["accepted"] = [*row["accepted"], event.data["user"]]


SUBJECT_HANDLERS: dict[str, Handler] = {
    "user.registered.v2": _user_born,
    "user.attributes_changed.v1": _attributes_changed,
    "user.disabled.v1": _user_enabled(False),
    "user.enabled.v1": _user_enabled(True),
    "user.erased.v1": _user_erased,
    "user.joined.v1": _user_joined,
    "user.left.v1": _user_left,
    "user.role_granted.v1": _role_granted,
    "user.role_revoked.v1": _role_revoked,
    "user.password_set.v1": unseen,
    "group.created.v1": _group_born,
    **of_entity("group"),
    "group.role_granted.v1": _role_granted,
    "group.role_revoked.v1": _role_revoked,
    "group.attributes_changed.v1": unseen,
    "token.issued.v2": _token_born,
    "token.joined.v1": unseen,
    "token.revoked.v1": _revoked,
    "invitation.issued.v1": _invitation_born,
    "invitation.accepted.v1": _invitation_accepted,
    "invitation.revoked.v1": _revoked,
}
