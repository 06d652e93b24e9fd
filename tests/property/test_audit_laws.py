"""Whatever is done to signed events, even if all chains are made to fit, is found where it is."""

from hypothesis import given
from hypothesis import strategies as st

from infra.audit.difference import first_difference
from tests.unit.audit_box import MemoryLog, Seal, a_log, an_event, sealed, verified

MOST = 25


@st.composite
def records(draw: st.DrawFn) -> Seal:
    """A sealed record, its end perhaps not signed yet."""
    log = a_log(draw(st.integers(3, MOST)))
    sizes = draw(st.sets(st.integers(1, len(log.events)), min_size=1, max_size=4))
    return sealed(log, sorted(sizes))


def flip(data: st.DataObject, log: MemoryLog, at: int) -> None:
    parts = list(log.events[at])
    part = data.draw(st.integers(0, 2))
    changed = bytearray(parts[part])
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    parts[part] = bytes(changed)
    log.events[at] = parts[0], parts[1], parts[2]


@given(st.data(), records())
def test_a_flipped_bit_anywhere_is_found_where_it_is(data: st.DataObject, seal: Seal) -> None:
    at = data.draw(st.integers(0, seal.tree.size - 1))
    flip(data, seal.log, at)
    found = verified(seal).finding
    assert found is not None
    assert found.position == at + 1


@given(st.data(), records(), st.booleans())
def test_a_change_of_the_order_is_found_where_it_begins(
    data: st.DataObject, seal: Seal, thorough: bool
) -> None:
    log = seal.log
    at = data.draw(st.integers(0, seal.tree.size - 1))
    how = data.draw(st.sampled_from(["remove", "insert", "swap"]))
    other = data.draw(st.integers(0, len(log.events) - 1))
    if how == "remove":
        del log.events[at]
    elif how == "insert":
        log.events.insert(at, an_event(b"ev.run.d", 1, b"", b"{}"))
    else:
        log.events[at], log.events[other] = log.events[other], log.events[at]
    if thorough:
        log.chain_anew()
    result = verified(seal)
    if how == "swap" and other == at:
        assert result.intact
        return
    assert result.finding is not None
    assert result.finding.position == (min(at, other) if how == "swap" else at) + 1


@given(st.data(), records())
def test_an_end_that_is_cut_off_is_found_where_the_rest_ends(
    data: st.DataObject, seal: Seal
) -> None:
    left = data.draw(st.integers(0, seal.tree.size - 1))
    del seal.log.events[left:]
    found = verified(seal).finding
    assert found is not None
    assert (found.position, found.entity) == (left + 1, "")


@given(st.lists(st.binary(max_size=1), unique=True), st.data())
def test_a_difference_is_the_first_one(signed: list[bytes], data: st.DataObject) -> None:
    found = data.draw(st.lists(st.sampled_from(signed or [b"x"]) | st.binary(max_size=2)))
    result = first_difference(signed, found, 1)
    same = 0
    while same < min(len(signed), len(found)) and signed[same] == found[same]:
        same += 1
    if same == len(signed):
        assert result is None
    else:
        assert result is not None
        assert result[0] == same + 1
