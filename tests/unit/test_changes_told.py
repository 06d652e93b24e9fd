"""What events changed: of maps and lists what differs, and no more than can be read."""

from datetime import UTC, datetime
from itertools import count

from api.access.changes_told import fold
from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.user import User
from infra.event_codec import encode
from infra.event_log.message import LogMessage

ID = "user-00000000-0000-7000-8000-000000000001"
GROUPS = [f"group-00000000-0000-7000-8000-00000000000{n}" for n in (1, 2)]


def messages_of(aggregate: Aggregate) -> list[LogMessage]:
    context, positions = Context("user-ada", datetime.now(UTC), "request"), count(1)
    events = [e for e in aggregate.collect_events() if isinstance(e, AggregateEvent)]
    stored = [encode(event, context, {}) for event in events]
    return [LogMessage(next(positions), "", s.topic, "", "", s.state, "") for s in stored]


def test_each_wanted_event_says_what_it_changed() -> None:
    user = User.register(ID, "sealed", {"admin": True, "team": "red"})
    user.join(GROUPS[0])
    user.join(GROUPS[1])
    user.change_attributes({"admin": True, "team": "blue"})
    user.change_attributes({"admin": True, "team": "x" * 5000})
    user.set_password("digest")
    messages = messages_of(user)
    found, changes = fold(ID, messages, {1, 3, 4, 5, 6})
    assert isinstance(found, User)
    assert found.created_by == "user-ada"
    assert "profile" not in changes[1]
    assert changes[1]["enabled"] == {"before": None, "after": True}
    assert changes[3] == {"groups": {"before": [], "after": [GROUPS[1]]}}
    assert changes[4] == {"attributes": {"before": {"team": "red"}, "after": {"team": "blue"}}}
    assert changes[5]["attributes"]["after"] == "(5011 bytes)"
    assert changes[6] == {}


def test_nothing_is_told_of_what_is_not_there() -> None:
    assert fold(ID, [], {1}) == (None, {})
