"""Each way to tamper with the record, and the exact words in which verification tells of it."""

from collections.abc import Callable

import pytest

from infra.audit.chains import Finding
from infra.audit.verify import Part
from tests.unit.audit_box import (
    MemoryLog,
    a_log,
    an_event,
    sealed,
    verified,
)

ALTERED = "the event is not the one that was signed"
UNFIT = "the content does not match its hash"


def flip(log: MemoryLog, position: int, bit: int = 0) -> None:
    subject, head, payload = log.events[position - 1]
    changed = bytearray(payload)
    changed[bit // 8] ^= 1 << bit % 8
    log.events[position - 1] = subject, head, bytes(changed)


def remove(log: MemoryLog, position: int) -> None:
    del log.events[position - 1]


def insert(log: MemoryLog, position: int) -> None:
    event = an_event(b"ev.run.a", 1, b"", b'{"number":"forged"}')
    log.events.insert(position - 1, event)


def swap(log: MemoryLog, position: int) -> None:
    one, other = log.events[position - 1 : position + 1]
    log.events[position - 1 : position + 1] = other, one


def test_a_record_as_it_was_written_is_intact() -> None:
    seal = sealed(a_log())
    result = verified(seal)
    assert result.intact
    assert (result.events, result.aggregates, result.checkpoints, result.covered) == (30, 3, 3, 27)
    assert (seal.history().faults, seal.history().remarks) == ([], [])


@pytest.mark.parametrize("bit", range(0, 8 * len(b'{"number":14}'), 5))
def test_a_flipped_bit_is_named(bit: int) -> None:
    seal = sealed(a_log())
    flip(seal.log, 15, bit)
    assert verified(seal).finding == Finding(15, "run-c", 5, f"{ALTERED} ({UNFIT})")


def test_a_flipped_bit_behind_the_last_checkpoint_is_named_by_its_chain() -> None:
    seal = sealed(a_log())
    flip(seal.log, 29)
    assert verified(seal).finding == Finding(29, "run-b", 10, UNFIT)


def test_a_header_that_no_chain_covers_is_covered_by_the_root() -> None:
    seal = sealed(a_log())
    subject, head, payload = seal.log.events[14]
    seal.log.events[14] = subject, head + b"U: another\r\n", payload
    assert verified(seal).finding == Finding(15, "run-c", 5, ALTERED)


@pytest.mark.parametrize(
    ("tamper", "position", "expected"),
    [
        (flip, 15, Finding(15, "run-c", 5, ALTERED)),
        (
            remove,
            15,
            Finding(
                15,
                "run-a",
                6,
                "an event is missing here: this one was signed for the position behind it",
            ),
        ),
        (
            insert,
            15,
            Finding(
                15,
                "run-a",
                6,
                "the event was inserted: what was signed for this position follows it",
            ),
        ),
        (
            swap,
            15,
            Finding(
                15,
                "run-a",
                6,
                "the order was changed: this event was signed for position 16",
            ),
        ),
    ],
)
def test_a_forger_who_makes_every_chain_fit_is_found_by_the_root(
    tamper: Callable[[MemoryLog, int], None], position: int, expected: Finding
) -> None:
    seal = sealed(a_log())
    tamper(seal.log, position)
    seal.log.chain_anew()
    found = verified(seal).finding
    assert found == expected


def test_a_swap_that_breaks_a_chain_is_told_as_a_swap() -> None:
    seal = sealed(a_log())
    events = seal.log.events
    events[11], events[14] = events[14], events[11]  # both of run-c
    found = verified(seal).finding
    assert found is not None
    assert (found.position, found.entity, found.version) == (12, "run-c", 5)
    assert found.what == (
        "the order was changed: this event was signed for position 15 (version 5 follows version 3)"
    )


def test_a_removed_event_that_breaks_a_chain_is_told_at_its_own_place() -> None:
    seal = sealed(a_log())
    remove(seal.log, 15)  # the chain of run-c breaks at its next event only, three further on
    found = verified(seal).finding
    assert found is not None
    assert found.position == 15
    assert found.what == (
        "an event is missing here: this one was signed for the position behind it "
        "(it shows at event 17, run-c: version 6 follows version 4)"
    )


def test_a_stream_cut_short_is_told_by_the_last_checkpoint() -> None:
    seal = sealed(a_log())
    del seal.log.events[22:]
    assert verified(seal).finding == Finding(
        23,
        "",
        0,
        "the log ends at position 22, but 27 events were signed at 2026-07-01T12:02:00+00:00",
    )


def test_an_empty_stream_is_one_cut_short() -> None:
    seal = sealed(a_log())
    seal.log.events.clear()
    found = verified(seal).finding
    assert found is not None
    assert found.what.startswith("the log ends at position 0, but 27 events were signed")


def test_without_what_the_ledger_knows_of_each_event_the_stretch_is_named() -> None:
    log = a_log()
    seal = sealed(log)
    seal.ledger = [
        type(m)(m.position, "", "", "", "", m.payload.partition(b"\0")[0] + b"\0\0", "")
        for m in seal.ledger
    ]
    flip(log, 15)
    log.chain_anew()
    assert verified(seal).finding == Finding(
        11,
        "",
        0,
        "events 11 to 20 are not those that were signed at 2026-07-01T12:01:00+00:00",
    )


def test_a_part_is_proven_by_the_checkpoints_around_it() -> None:
    seal = sealed(a_log())
    result = verified(seal, Part(13, 15))
    assert result.intact
    assert (result.events, result.checkpoints, result.covered) == (10, 1, 20)
    flip(seal.log, 5)
    assert verified(seal, Part(13, 15)).intact
    flip(seal.log, 17)
    found = verified(seal, Part(13, 15)).finding
    assert found is not None
    assert found.position == 17


def test_a_kept_checkpoint_tells_of_a_record_and_ledger_written_anew() -> None:
    log = a_log()
    kept = sealed(log).last
    assert kept is not None
    flip(log, 15)
    log.chain_anew()
    forged = sealed(log)  # by somebody who has the key
    assert verified(forged).intact
    assert verified(forged, kept=[kept]).finding == Finding(
        21,
        "",
        0,
        "events 21 to 27 are not those that were signed at 2026-07-01T12:02:00+00:00",
    )
