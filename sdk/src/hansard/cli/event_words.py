"""Events in words: a line that says who did what when, and a line for each member it changed."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hansard.cli.output import cell

if TYPE_CHECKING:
    from hansard.client import Event

_MOST = 80  # characters of a value


def told(event: "Event") -> Iterator[str]:
    """The lines of an event; nothing in them can move the cursor of a terminal."""
    what = event.action.partition(".")[2].replace("_", " ")
    first = f"{cell(event.time)}  {event.actor or '(hidden)'}  {what} {event.entity}"
    yield _plain(first + (f": {event.reason}" if event.reason else ""))
    for name, change in event.changes.items():
        if event.version == 1 and change.after in (None, "", [], {}, False, 0):
            continue  # what it is born without
        before = "" if event.version == 1 else f"{_short(change.before)} -> "
        yield _plain(f"    {name}: {before}{_short(change.after)}")
    for decision in event.decisions:
        if decision.entity == event.entity:
            word = "permitted" if decision.permitted else "denied"
            yield _plain(f"    {word} by rule {decision.rule or '-'} of {decision.policy or '-'}")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def _plain(text: str) -> str:
    """Without control characters, also those that turn the direction of writing."""
    return "".join(c if c.isprintable() else "�" for c in text)
