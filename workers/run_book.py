"""The dispatcher's view of all runs that have not ended, folded from the record."""

from collections.abc import Iterable

import structlog

from domain.resources import Resources
from domain.run import PLACED, Run, Status
from domain.scheduling import Placed, Waiting
from infra.event_codec import decode
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage

_LAYOUT = Layout()

_log = structlog.get_logger(__name__)


class RunBook:
    """Runs that wait or are placed, in order of their request."""

    def __init__(self) -> None:
        self.position = 0
        self.runs: dict[str, Run] = {}

    def fold(self, messages: Iterable[LogMessage]) -> None:
        """Follow the record."""
        for message in messages:
            self.position = message.position
            id_, version = _LAYOUT.parse(message.subject)
            try:
                self._fold_one(str(id_), version, message)
            except Exception as error:  # noqa: BLE001 - one run that cannot be read stops no other
                _log.error("run_not_folded", run=str(id_), position=self.position, error=str(error))
                self.runs.pop(str(id_), None)

    def _fold_one(self, id_: str, version: int, message: LogMessage) -> None:
        known = self.runs.get(id_)
        if known is None and version > 1:
            return  # a note or a tag of a run that has ended
        run = decode(id_, version, message.topic, message.payload).mutate(known)
        assert isinstance(run, Run)
        self.runs[id_] = run
        if run.ended:
            del self.runs[id_]

    def with_status(self, *statuses: Status) -> list[Run]:
        """Runs in one of these states, in order of their request."""
        return [run for run in self.runs.values() if run.status in statuses]

    def queue(self) -> list[Waiting]:
        """Runs that wait for room."""
        return [
            Waiting(run.id, Resources(**run.resources), since=run.modified_on.timestamp())
            for run in self.with_status(Status.QUEUED)
        ]

    def placed(self) -> list[Placed]:
        """Runs that hold room."""
        return [
            Placed(
                run.id,
                str(run.node),
                Resources(**run.resources),
                since=run.modified_on.timestamp(),
            )
            for run in self.with_status(*PLACED)
        ]
