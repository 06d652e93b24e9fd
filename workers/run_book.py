"""The dispatcher's view of all runs that have not ended, folded from the record."""

from collections.abc import Iterable

from domain.resources import Resources
from domain.run import PLACED, Run, Status
from domain.scheduling import Placed, Waiting
from infra.event_codec import decode
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage

_LAYOUT = Layout()


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
            event = decode(str(id_), version, message.topic, message.payload)
            known = self.runs.get(str(id_))
            if known is None and version > 1:
                continue  # a note or a tag of a run that has ended
            run = event.mutate(known)
            assert isinstance(run, Run)
            self.runs[run.id] = run
            if run.ended:
                del self.runs[run.id]

    def with_status(self, *statuses: Status) -> list[Run]:
        """Runs in one of these states, in order of their request."""
        return [run for run in self.runs.values() if run.status in statuses]

    def queue(self) -> list[Waiting]:
        """Runs that wait for room."""
        return [Waiting(r.id, Resources(**r.resources)) for r in self.with_status(Status.QUEUED)]

    def placed(self) -> list[Placed]:
        """Runs that hold room."""
        return [
            Placed(run.id, str(run.node), Resources(**run.resources))
            for run in self.with_status(*PLACED)
        ]
