"""Which versions of datasets lack a profile or a check, as far as the record has been followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any

from domain.abstraction import Abstraction
from domain.version import Version

RETRY_S = 30.0
_LONGEST_RETRY_S = 600.0


@dataclass(slots=True)
class _Known:
    dataset: str
    order: int
    profiled: bool = False
    expectations: str | None = None  # digest of those of the last check
    tries: int = 0
    due_at: float = 0.0


class Backlog:
    """Folds events into the question what to look into next. No I/O."""

    def __init__(self) -> None:
        self._versions: dict[str, _Known] = {}
        self._of: dict[str, list[str]] = {}  # versions that are not deleted, by dataset
        self._expected: dict[str, str | None] = {}
        self._lacking: set[str] = set()
        self._orders = count()

    def note(self, entity: str, topic: str, data: Mapping[str, Any]) -> None:
        """Take in an event of a version or a dataset; any other is ignored."""
        if topic == Version.Published.TOPIC:
            self._published(entity, data)
        elif topic == Abstraction.Expected.TOPIC:
            text = data["text"]
            self._expected[entity] = None if text is None else digest(text)
            for version in self._of.get(entity, ()):
                self._weigh(version)
        elif entity in self._versions:
            self._happened(entity, topic, data)

    def first(self, now: float) -> str | None:
        """What to look into next, by a clock in seconds.

        The latest version of a dataset goes before those that it replaced, else the newest first.
        """
        due = [each for each in self._lacking if self._versions[each].due_at <= now]
        return min(due, key=self._urgency, default=None)

    def settled(self, version: str, expectations: str | None) -> None:
        """It has a profile now, and was last held against the expectations with this digest."""
        if (known := self._versions.get(version)) is not None:
            known.profiled, known.expectations = True, expectations
            self._weigh(version)

    def put_off(self, version: str, now: float) -> None:
        """Try it again later, and ever more rarely."""
        known = self._versions[version]
        known.tries += 1
        known.due_at = now + min(known.tries * RETRY_S, _LONGEST_RETRY_S)

    def set_aside(self, version: str) -> None:
        """Leave it until something new happens to it."""
        self._lacking.discard(version)

    def _published(self, version: str, data: Mapping[str, Any]) -> None:
        if data["kind"] == "dataset" and data["content"] is not None:
            dataset = data["abstraction"]
            self._versions[version] = _Known(dataset, next(self._orders))
            self._of.setdefault(dataset, []).append(version)
            self._weigh(version)

    def _happened(self, version: str, topic: str, data: Mapping[str, Any]) -> None:
        known = self._versions[version]
        if topic == Version.Deleted.TOPIC:
            del self._versions[version]
            self._of[known.dataset].remove(version)
            self._lacking.discard(version)
            return
        if topic == Version.Profiled.TOPIC:
            known.profiled = True
        elif topic == Version.Checked.TOPIC:
            known.expectations = data["expectations"]
        self._weigh(version)

    def _weigh(self, version: str) -> None:
        known = self._versions[version]
        expected = self._expected.get(known.dataset)
        if known.profiled and expected in (None, known.expectations):
            self._lacking.discard(version)
        else:
            self._lacking.add(version)

    def _urgency(self, version: str) -> tuple[bool, int]:
        known = self._versions[version]
        return self._of[known.dataset][-1] != version, -known.order


def digest(text: str) -> str:
    """How a check names the expectations that it was made against."""
    return sha256(text.encode()).hexdigest()
