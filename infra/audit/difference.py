"""Where a stretch of the log first differs from what was signed, and in which way."""

from collections.abc import Sequence

ALTERED = "the event is not the one that was signed"
INSERTED = "the event was inserted: what was signed for this position follows it"
MISSING = "an event is missing here: this one was signed for the position behind it"


def first_difference(
    signed: Sequence[bytes], found: Sequence[bytes], first: int
) -> tuple[int, str] | None:
    """Position and kind of the first difference between two lists of digests, or None.

    `first` is the position of the first of each. `found` may go on beyond what was signed.
    """
    for at, (wanted, there) in enumerate(zip(signed, found, strict=False)):
        if wanted != there:
            return first + at, _kind(signed, found, at, first)
    if len(found) < len(signed):
        return first + len(found), f"the log ends here; {len(signed) - len(found)} more were signed"
    return None


def _kind(signed: Sequence[bytes], found: Sequence[bytes], at: int, first: int) -> str:
    known = {digest: place for place, digest in enumerate(signed)}
    place = known.get(found[at])
    if found[at + 1 : at + 2] == [signed[at]] and place is None:
        return INSERTED
    if place is None:
        return ALTERED
    if signed[at] in found:
        return f"the order was changed: this event was signed for position {first + place}"
    return MISSING if place == at + 1 else f"the events up to position {first + place} are missing"
