"""What the next version number of SemVer should be, from what changed for those who use a version.

`major`: something that worked with the old version does not with the new one, or nobody can tell
that it does. `minor`: more than before. `patch`: nothing that a signature tells.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from domain.signatures.functions import Function
from domain.signatures.matching import Offer, match
from domain.signatures.shapes import demanded, offer_in, offered, roles_in
from domain.signatures.slots import Role

Step = Literal["major", "minor", "patch"]

MAX_REASONS = 20
_STATE = re.compile(r"#[0-9a-f]{12}(?=\")")


@dataclass(frozen=True, slots=True)
class Difference:
    """The step to take, and why, in words."""

    step: Step
    reasons: tuple[str, ...]


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """How a new signature differs from an old one for those who use it."""
    old, new = _unversioned(old), _unversioned(new)
    broken = [*_lost_members(old, new), *_harder_form(old, new), *_harder_slots(old, new)]
    if broken:
        return Difference("major", tuple(broken[:MAX_REASONS]))
    added = [*_more_members(old, new), *_more_form(old, new), *_more_slots(old, new)]
    if added:
        return Difference("minor", tuple(added[:MAX_REASONS]))
    return Difference("patch", ("nothing changed in what it offers and asks for",))


def _unversioned(signature: Mapping[str, Any]) -> dict[str, Any]:
    """Without what tells a bundle's own classes from those of another state of its source."""
    found: dict[str, Any] = json.loads(_STATE.sub("", json.dumps(signature)))
    return found


def _lost_members(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What a caller of the old version does that the new one does not take."""
    before, now = offered(old), offered(new)
    offer = offer_in(now)
    for name, method in before["methods"].items():
        if now["methods"].get(name) != method:
            yield from _worse(Role("", {name: Function.of_json(method)}), offer)
    for name, attribute in before["attributes"].items():
        if name not in now["attributes"] and name not in now["methods"]:
            yield f"it has no attribute `{name}`"
        elif now["attributes"].get(name, attribute)["type"] != attribute["type"]:
            yield f"attribute `{name}` has another type"
    yield from (reason for reason in now["doubts"] if reason not in before["doubts"])


def _worse(role: Role, offer: Offer) -> Iterator[str]:
    """What the old method, as a role, asks in vain; what both say they return is no question."""
    [(name, before)] = role.methods.items()
    now = offer.methods.get(name)
    if now is not None and now.returns == before.returns:
        role = Role("", {name: replace(before, returns="any")})
    fit = match([role], Offer(offer.methods, offer.attributes))
    if fit.verdict == "refused" or fit.missing:
        yield from (*fit.reasons, *fit.missing)
    elif fit.verdict == "unchecked":
        yield from _unlike(name, before, now)


def _unlike(name: str, before: Function, now: Function | None) -> Iterator[str]:
    """Nobody can tell: fine where the parameters are as before, perhaps with more behind them."""
    kept = now is not None and now.parameters[: len(before.parameters)] == before.parameters
    if not kept or now is None or now.returns != before.returns or now.unchecked:
        yield f"nobody can tell whether `{name}` is used as before"


def _harder_form(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Parameters that were fine for the old version and are not for the new one."""
    before, now = old["parameters"], new["parameters"]
    for name, schema in before["properties"].items():
        if name not in now["properties"]:
            if not now["additionalProperties"]:
                yield f"parameter `{name}` is gone"
        elif not _is_wider(_bare(schema), _bare(now["properties"][name])):
            yield f"parameter `{name}` takes other values"
    for name in now["required"]:
        if name not in before["required"]:
            yield f"parameter `{name}` must be given"


def _more_form(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = old["parameters"], new["parameters"]
    for name, schema in now["properties"].items():
        was = before["properties"].get(name)
        if was is None:
            yield f"parameter `{name}` is new"
        elif _bare(was) != _bare(schema):
            yield f"parameter `{name}` takes more values"
        elif was.get("default") != schema.get("default"):
            yield f"parameter `{name}` has another default"
    for name in before["required"]:
        if name not in now["required"]:
            yield f"parameter `{name}` may be left out"


def _bare(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Which values it takes."""
    return {k: v for k, v in schema.items() if k not in ("default", "description", "title")}


def _is_wider(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether every value that the old schema takes is one that the new one takes."""
    if not new:
        return True
    if "enum" in old and "enum" in new:
        return all(value in new["enum"] for value in old["enum"])
    olds, news = old.get("anyOf", [old]), new.get("anyOf", [new])
    return all(any(each == other or _widens(each, other) for other in news) for each in olds)


def _widens(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return dict(old) == {"type": "integer"} and dict(new) == {"type": "number"}


def _harder_slots(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Slots that what filled them before may not fill now."""
    for name, slot in old["slots"].items():
        now = new["slots"].get(name)
        if now is None:
            yield f"slot `{name}` is gone"
            continue
        if slot["optional"] and not now["optional"]:
            yield f"slot `{name}` must be filled"
        if slot["many"] and not now["many"]:
            yield f"slot `{name}` takes one part only"
        yield from _harder_role(name, old, new)
    for name, slot in new["slots"].items():
        if name not in old["slots"] and not slot["optional"]:
            yield f"slot `{name}` is new and must be filled"


def _harder_role(slot: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What plays the old roles by the letter must play the new ones."""
    before, now = (roles_in(demanded(each, slot)) for each in (old, new))
    if before == now:
        return
    by_the_letter = Offer(
        {name: each for role in before for name, each in role.methods.items()},
        {name: each for role in before for name, each in role.attributes.items()},
    )
    for role in now:
        if role not in before:
            fit = match([role], by_the_letter)
            if fit.verdict != "fits" or fit.missing:
                why = [*fit.reasons, *fit.missing][0]
                yield f"slot `{slot}` asks for more: {why}"


def _more_slots(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, slot in new["slots"].items():
        was = old["slots"].get(name)
        if was is None:
            yield f"slot `{name}` is new"
        elif slot["many"] and not was["many"]:
            yield f"slot `{name}` takes any number of parts"
        elif slot["optional"] and not was["optional"]:
            yield f"slot `{name}` may stay empty"
        elif demanded(old, name) != demanded(new, name):
            yield f"slot `{name}` asks for less"


def _more_members(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = offered(old), offered(new)
    for kind, word in (("methods", "method"), ("attributes", "attribute")):
        for name, member in now[kind].items():
            if name not in before[kind]:
                yield f"{word} `{name}` is new"
            elif before[kind][name] != member:
                yield f"{word} `{name}` takes or says more"
