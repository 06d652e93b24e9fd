"""Which denials are recorded: not the same twice in a minute, ten of each subject, few at all."""

from api.access import guard
from api.access.guard import Denials
from api.access.reads import Reads


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def test_a_denial_is_recorded_once_a_minute_whatever_the_entity() -> None:
    clock = Clock()
    denials = Denials(clock)
    asked = [denials.is_new("user-eve", "run", "share") for _ in range(3)]
    assert asked == [True, False, False]
    assert denials.is_new("user-eve", "model", "share")
    assert denials.is_new("user-bob", "run", "share")
    clock.now += 59.9
    assert not denials.is_new("user-eve", "run", "share")
    clock.now += 0.1
    assert denials.is_new("user-eve", "run", "share")


def test_ten_denials_of_a_subject_are_recorded_in_a_minute() -> None:
    clock = Clock()
    denials = Denials(clock)
    found = []
    for number in range(30):
        clock.now += 1
        found.append(denials.is_new("user-eve", "run", f"action-{number}"))
    assert found == [True] * 10 + [False] * 20
    assert denials.is_new("user-bob", "run", "share")
    clock.now += 32  # 61 s after the first, 60 s after the second
    assert [denials.is_new("user-eve", "run", f"later-{n}") for n in range(3)] == [
        *(True, True),
        False,
    ]


def test_what_is_remembered_of_denials_is_bounded() -> None:
    denials = Denials(Clock())
    for number in range(guard._DENIALS_KNOWN + 5):
        assert denials.is_new(f"user-{number}", "run", "share")
    assert len(denials._known) == len(denials._counts) == guard._DENIALS_KNOWN
    assert not denials.is_new(f"user-{guard._DENIALS_KNOWN}", "run", "share")


def test_a_read_is_recorded_once_a_minute_for_each_subject_and_entity() -> None:
    clock = Clock()
    reads = Reads(clock)
    assert reads.new("user-eve", ["a", "b"]) == ["a", "b"]
    assert reads.new("user-eve", ["a"]) == ["a"]  # until it is recorded
    reads.remember("user-eve", ["a"])
    assert reads.new("user-eve", ["a", "b"]) == ["b"]
    assert reads.new("user-bob", ["a"]) == ["a"]
    clock.now += 60
    assert reads.new("user-eve", ["a"]) == ["a"]
