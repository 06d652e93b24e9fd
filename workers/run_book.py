"""The dispatcher's view of all runs that have not ended, folded from the record."""

from collections.abc import Iterable

import orjson
import structlog

from domain.outside_run import is_outside
from domain.resources import Resources
from domain.run import PLACED, Run, Status
from domain.scheduling import Ledger, Placed, Waiting
from infra.event_codec import decode
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage

_LAYOUT = Layout()

_log = structlog.get_logger(__name__)


class RunBook:
    """Runs that wait or are placed, in order of their request, and what others have used.

    ``served`` is when runs of an account with a priority were last given room.
    """

    def __init__(self) -> None:
        self.position = 0
        self.runs: dict[str, Run] = {}
        self.ledger = Ledger()
        self.served: dict[tuple[str, int], float] = {}
        self._since: dict[str, float] = {}  # when a run began to wait, or was given room

    def fold(self, messages: Iterable[LogMessage]) -> None:
        """Follow the record."""
        for message in messages:
            self.position = message.position
            id_, version = _LAYOUT.parse(message.subject)
            try:
                self._fold_one(str(id_), version, message)
            except Exception as error:  # noqa: BLE001 - one run that cannot be read stops no other
                _log.error("run_not_folded", run=str(id_), position=self.position, error=str(error))
                self._forget(str(id_))

    def _fold_one(self, id_: str, version: int, message: LogMessage) -> None:
        known = self.runs.get(id_)
        if known is None and version > 1:
            return  # a note or a tag of a run that has ended
        was = known.status if known else None
        event = decode(id_, version, message.topic, message.payload)
        run = event.mutate(known)
        assert isinstance(run, Run)
        if known is None:
            run.created_by = str(orjson.loads(message.payload)["actor"])
        self.runs[id_] = run
        self._account_for(run, was, event.timestamp.timestamp())
        if run.ended:
            self._forget(id_)

    def _account_for(self, run: Run, was: Status | None, now: float) -> None:
        """Note when it began to wait and to hold room, and in the end what it has used."""
        if was in PLACED and run.status not in PLACED:
            resources, begin = Resources(**run.resources), self._since[run.id]
            self.ledger.use((account_of(run), run.pool), resources, begin, now)
            self._since[run.id] = now
        elif run.status in PLACED and was not in PLACED:
            self._since[run.id] = now
            self.served[account_of(run), run.priority] = now
        else:
            self._since.setdefault(run.id, now)

    def _forget(self, id_: str) -> None:
        self.runs.pop(id_, None)
        self._since.pop(id_, None)

    def with_status(self, *statuses: Status) -> list[Run]:
        """Runs in one of these states, in order of their request."""
        return [run for run in self.runs.values() if run.status in statuses]

    def queue(self) -> list[Waiting]:
        """Runs that wait for room."""
        return [self.waiting(run) for run in self.with_status(Status.QUEUED)]

    def waiting(self, run: Run) -> Waiting:
        """A run as it waits."""
        return Waiting(
            run.id,
            Resources(**run.resources),
            account_of(run),
            run.created_by,
            run.pool,
            run.priority,
            self._since[run.id],
        )

    def placed(self) -> list[Placed]:
        """Runs that hold room."""
        return [
            Placed(
                run.id,
                str(run.node),
                Resources(**run.resources),
                account_of(run),
                run.created_by,
                run.pool,
                run.priority,
                self._since[run.id],
                leaving=run.is_to_give_way or run.cancel_requested,
            )
            for run in self.with_status(*PLACED)
            if not is_outside(run)
        ]


def account_of(run: Run) -> str:
    """What a run counts for: the group that was named for it, or who asked for it alone."""
    return run.group or run.created_by
