"""What an event changed of its entity, member by member, from the fold of its events."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from domain.aggregate import Aggregate
from infra.event_codec import decode
from infra.event_log.message import LogMessage

Members = dict[str, Any]
Change = dict[str, Any]
"""`before` and `after`; of maps and lists only the members that differ."""

_OPAQUE = ("profile", "password_digest", "digest", "key")  # sealed, or the digest of a secret
_MOST_BYTES = 4000


def fold(
    id_: str, messages: Sequence[LogMessage], wanted: Collection[int]
) -> tuple[Aggregate | None, dict[int, dict[str, Change]]]:
    """An entity as all of its events make it, and what the wanted versions changed.

    Raises LookupError, TypeError or ValueError for what is no event of an aggregate.
    """
    aggregate: Aggregate | None = None
    found: dict[int, dict[str, Change]] = {}
    after: Members | None = None
    for version, message in enumerate(messages, 1):
        before = after or _members(aggregate) if version in wanted else {}
        event = decode(id_, version, message.topic, message.payload)
        changed: Any = event.mutate(aggregate)
        aggregate = changed
        after = _members(aggregate) if version in wanted else None
        if after is not None:
            found[version] = _changes(before, after)
    if aggregate is not None:
        aggregate.created_by = str(orjson.loads(messages[0].payload)["actor"])
    return aggregate, found


def _members(aggregate: Aggregate | None) -> Members:
    """A copy, as JSON has it: appliers may change what they find."""
    if aggregate is None:
        return {}
    kept = {
        name: value
        for name, value in vars(aggregate).items()
        if not name.startswith("_") and name not in (*_OPAQUE, "created_by")
    }
    members: Members = orjson.loads(orjson.dumps(kept, _plain, orjson.OPT_NON_STR_KEYS))
    return members


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _changes(before: Members, after: Members) -> dict[str, Change]:
    names = sorted(before.keys() | after.keys())
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: _change(*pair) for name, pair in pairs.items() if pair[0] != pair[1]}


def _change(before: Any, after: Any) -> Change:
    if isinstance(before, dict) and isinstance(after, dict):
        before, after = _but(before, after), _but(after, before)
    elif isinstance(before, list) and isinstance(after, list):
        before, after = _without(before, after), _without(after, before)
    return {"before": _short(before), "after": _short(after)}


def _without(members: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    known = set(map(orjson.dumps, others))
    return [member for member in members if orjson.dumps(member) not in known]


def _but(members: Mapping[str, Any], others: Mapping[str, Any]) -> Members:
    return {k: v for k, v in members.items() if k not in others or others[k] != v}


def _short(value: Any) -> Any:
    size = len(orjson.dumps(value))
    return value if size <= _MOST_BYTES else f"({size} bytes)"
