"""Bundles read in a process of its own: what it takes, what ends it, and that the API goes on."""

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from domain.errors import Invalid
from hansard.formats.problems import BundleError
from infra.bundle_reading.reader import BundleReader
from tests.integration.pushing import a_bundle

GOOD = a_bundle()


@pytest.fixture
def reader() -> Iterator[BundleReader]:
    found = BundleReader(timeout_s=20)
    yield found
    found.close()


HOSTILE = {
    "brackets": b"class Net:\n    def f(self, a: " + b"[" * 180 + b"int" + b"]" * 180 + b"): ...\n",
    "minus signs": b"class Net:\n    def __init__(self, a: '" + b"-" * 9000 + b"1'): ...\n",
    "a union": b"class Net:\n    def __init__(self, a: " + b"int | " * 9000 + b"int): ...\n",
    "attributes": b"class Net:\n    def f(self, a: x" + b".y" * 40000 + b"): ...\n",
    "a tall expression": b"x = " + b"(" * 90 + b"1" + b")" * 90 + b"\nclass Net: ...\n",
    "a large literal": b"class Net:\n    def f(self, a='" + b"x" * 400_000 + b"'): ...\n",
    "many members": b"class Net:\n"
    + b"".join(b"    def f%d(self): ...\n" % n for n in range(9000)),
    "a chain of aliases": b"".join(b"A%d = list[A%d]\n" % (n, n + 1) for n in range(2000))
    + b"class Net:\n    def f(self, a: A0): ...\n",
    "aliases that double": b"A0 = int\n"
    + b"".join(b"A%d = dict[A%d, A%d]\n" % (n + 1, n, n) for n in range(60))
    + b"class Net:\n    def f(self, a: A60): ...\n",
    "dataclasses that double": b"from dataclasses import dataclass\n"
    + b"@dataclass\nclass D0:\n    a: int\n"
    + b"".join(
        b"@dataclass\nclass D%d:\n    a: D%d\n    b: D%d\n" % (n + 1, n, n) for n in range(60)
    )
    + b"class Net:\n    def __init__(self, a: D60): ...\n",
    "bases of each other": b"".join(b"class B%d(B%d): ...\n" % (n, n + 1) for n in range(3000))
    + b"class Net(B0): ...\n",
    "numbers": b"class Net:\n    def f(self, a=" + b"9" * 4000 + b"): ...\n",
    "spaces": b"class Net:\n    def f(self): ...\n    x = self.f" + b" " * 400_000 + b"\n",
    "dots": b"class Net:\n    x = " + b".f," * 100_000 + b"\n",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_sources_are_taken_or_refused_soon_and_the_next_bundle_is_read(
    reader: BundleReader, what: str
) -> None:
    reader.read(GOOD)
    began = time.monotonic()
    with suppress(BundleError, Invalid):
        manifest, _ = reader.read(a_bundle(source=HOSTILE[what]))
        assert manifest.entry == "m:Net"
    assert time.monotonic() - began < 25
    assert reader.read(GOOD)[0].entry == "m:Net"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"class Net:\n    x = '" + b"y" * (600 << 10) + b"'\n", "source_too_large"),
        (b"class Net: ...\n\0", "syntax_error"),
        (b"# coding: utf-7\nclass Net: ...\n", "syntax_error"),
        (b"# coding: nonsense\nclass Net: ...\n", "syntax_error"),
        (b"\xff\xfeclass Net: ...\n", "syntax_error"),
        (b"class Net[T]: ...\ntype X = int\nx = t'{y}'\n", "syntax_error"),
        (b"x = " + b"(" * 5000 + b")" * 5000 + b"\nclass Net: ...\n", "syntax_error"),
    ],
)
def test_what_is_no_source_is_refused_in_words(
    reader: BundleReader, source: bytes, reason: str
) -> None:
    with pytest.raises(BundleError) as refused:
        reader.read(a_bundle(source=source))
    assert refused.value.problem_code == reason
    assert refused.value.detail


def test_a_process_that_takes_too_long_is_ended_and_replaced() -> None:
    reader = BundleReader(timeout_s=0.0)
    with pytest.raises(Invalid, match="more time or memory"):
        reader.read(GOOD)
    reader.close()


def test_one_process_serves_many_bundles_and_a_dead_one_is_replaced(reader: BundleReader) -> None:
    reader.read(GOOD)
    (process,) = reader._idle
    reader.read(GOOD)
    assert [each.pid for each in reader._idle] == [process.pid]
    process.kill()
    process.wait()
    assert reader.read(GOOD)[0].name == "n"
    process.kill()


def test_a_process_that_dies_while_it_reads_is_an_answer_too(reader: BundleReader) -> None:
    reader.read(GOOD)
    (process,) = reader._idle
    process.send_signal(signal.SIGSTOP)  # it takes the request, and will never answer
    found: list[BaseException] = []

    def ask() -> None:
        try:
            reader.read(GOOD)
        except Invalid as error:
            found.append(error)

    asking = Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    process.kill()
    asking.join(timeout=20)
    assert "more time or memory" in str(found[0])


def test_many_at_once_share_two_processes(reader: BundleReader) -> None:
    answers: list[str] = []
    threads = [Thread(target=lambda: answers.append(reader.read(GOOD)[0].entry)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=60)
    assert answers == ["m:Net"] * 8
    assert len(reader._idle) <= 2


def test_the_process_ends_with_its_input() -> None:
    reader = BundleReader()
    reader.read(GOOD)
    (process,) = reader._idle
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    reader.close()
