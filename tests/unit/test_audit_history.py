"""Checkpoints that are not genuine, keys that change, and a clock that does not only go forward."""

from infra.audit.ledger import pack
from tests.unit.audit_box import KEY, NOON, OTHER, THIEF, Seal, a_log, sealed, verified


def test_a_forged_checkpoint_is_named_and_changes_nothing() -> None:
    seal = sealed(a_log(), (10,))
    genuine = seal.last
    seal.to(12, THIEF)
    seal.last = genuine
    seal.to(20)
    history = seal.history()
    assert [fault.what for fault in history.faults] == [
        f"checkpoint of 12 events is not signed by {KEY.public}: forged"
    ]
    assert [entry.size for entry in history.entries] == [10, 20]


def test_a_checkpoint_changed_by_a_byte_is_forged() -> None:
    seal = sealed(a_log())
    payload = seal.ledger[2].payload
    seal.ledger[2].payload = payload.replace(b"\n27\n", b"\n26\n")
    (fault,) = seal.history().faults
    assert (fault.place, fault.what[:25]) == (3, "checkpoint of 26 events i")


def test_a_removed_checkpoint_is_missed_by_the_one_behind_it() -> None:
    seal = sealed(a_log())
    del seal.ledger[1]
    (fault,) = seal.history().faults
    assert fault.what == "checkpoint of 27 events: the one before it is not the one it names"


def test_bytes_that_are_no_checkpoint_are_told_of() -> None:
    seal = sealed(a_log())
    seal.put(b"\xff\0\0")
    seal.put(b"anything")
    assert [fault.what[:27] for fault in seal.history().faults] == [
        "no checkpoint can be read: "
    ] * 2


def test_a_rotated_key_is_vouched_for_by_the_one_before() -> None:
    seal = sealed(a_log(), (10,))
    seal.to(10, KEY, OTHER, key=OTHER.public)
    seal.to(20, OTHER)
    for trusted in (None, KEY.public, OTHER.public):
        history = seal.history(trusted)
        assert history.faults == []
        assert history.keys == [KEY.public, OTHER.public]
    assert verified(seal).covered == 20
    seal.to(25, KEY)  # the old key signs nothing any more
    assert [fault.what for fault in seal.history().faults] == [
        f"checkpoint of 25 events is not signed by {OTHER.public}: forged"
    ]


def test_a_key_that_nobody_vouches_for_is_believed_only_by_who_knows_it() -> None:
    seal = sealed(a_log(), (10,))
    seal.to(15, OTHER, key=OTHER.public)  # its predecessor was lost, or this is a thief's
    seal.to(20, OTHER)
    assert [fault.what for fault in seal.history().faults] == [
        "checkpoint of 15 events: its new key is not signed by the one before",
        f"checkpoint of 20 events is not signed by {KEY.public}: forged",
    ]
    assert seal.history(OTHER.public).faults == []
    assert seal.history(THIEF.public).faults[-1].what == (
        f"the key {THIEF.public} is not one of this record"
    )


def test_a_key_must_sign_its_own_beginning() -> None:
    seal = sealed(a_log(), (10,))
    seal.to(15, KEY, key=OTHER.public)
    assert seal.history().faults[0].what == "checkpoint of 15 events: its new key did not sign it"


def test_a_clock_moved_back_is_remarked_on_and_proves_nothing_wrong() -> None:
    seal = sealed(a_log(), (10,))
    seal.to(20, time=NOON.replace(hour=11))
    history = seal.history()
    assert history.faults == []
    assert history.remarks == ["the clock went back by 3600 s before 20 events"]
    assert verified(seal).intact


def test_a_shrinking_checkpoint_is_a_fault() -> None:
    seal = Seal(a_log())
    seal.to(20)
    small = sealed(seal.log, (10,))
    assert small.last is not None
    said = small.last.said
    signed = type(said)(
        said.origin, 10, said.root, NOON.replace(hour=13), seal.last.digest if seal.last else ""
    ).signed(KEY)
    seal.put(pack(signed, small.tree.peaks, []))
    assert [fault.what for fault in seal.history().faults] == [
        "checkpoint of 10 events follows one of 20"
    ]
