"""Plugs the event log into the `eventsourcing` library.

Set `PERSISTENCE_MODULE=infra.event_log.factory`.
The environment gives `NATS_URL`, and optionally `NATS_STREAM` and `NATS_PREFIX` for a log beside
the default one. Tracking belongs with the tables it tracks, so there is no tracking and no process
recorder here: a process recorder would break positions that count events only.
"""

from eventsourcing import persistence
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactoryError,
    JSONTranscoder,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType
from nats.aio.client import Client

from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.recorder import JetStreamAggregateRecorder, JetStreamApplicationRecorder
from infra.event_log.streams import create, events
from infra.event_log.transcoder import OrjsonTranscoder
from infra.loop_thread import LoopThread
from infra.nats_connection import connect


class JetStreamFactory(persistence.InfrastructureFactory[TrackingRecorder]):
    """Makes recorders that share one connection; closing the factory closes it."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._url = self.env.get("NATS_URL") or ""
        if not self._url:
            raise InfrastructureFactoryError("NATS_URL is not set: it names the event log's broker")
        self._layout = Layout(
            self.env.get("NATS_STREAM") or "EVENTS", self.env.get("NATS_PREFIX") or "ev"
        )
        self._loop = LoopThread("event-log")
        self._client: Client | None = None
        self._recorders: list[JetStreamApplicationRecorder] = []

    def transcoder(self) -> JSONTranscoder:
        """The orjson transcoder; register transcodings on it as on the library's own."""
        return OrjsonTranscoder()

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """A recorder for events, or for snapshots in a stream of their own."""
        if purpose == "events":
            return JetStreamAggregateRecorder(self._open(self._layout), self._loop)
        beside = Layout(
            f"{self._layout.stream}_{purpose.upper()}", f"{self._layout.prefix}_{purpose}"
        )
        return JetStreamAggregateRecorder(self._open(beside), self._loop)

    def application_recorder(self) -> ApplicationRecorder:
        """A recorder with a total order over all aggregates."""
        log = self._open(self._layout)
        recorder = JetStreamApplicationRecorder(log, self._loop, self._url)
        self._recorders.append(recorder)
        return recorder

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        """Refused: positions are kept in the transaction of the tables they describe."""
        raise InfrastructureFactoryError("tracking lives in PostgreSQL, beside the read model")

    def process_recorder(self) -> ProcessRecorder:
        """Refused: tracking records would take positions in the log."""
        raise InfrastructureFactoryError("there is no process recorder on the event log")

    def close(self) -> None:
        """Close the connections and stop the thread that serves them."""
        for recorder in self._recorders:
            recorder.close()
        if self._client is not None:
            self._loop.run(self._client.close())
            self._client = None
        self._loop.close()

    def _open(self, layout: Layout) -> EventLog:
        return self._loop.run(self._open_on_loop(layout))

    async def _open_on_loop(self, layout: Layout) -> EventLog:
        if self._client is None:
            self._client = await connect(self._url, "eventsourcing")
        await create(self._client, events(layout))
        return EventLog(self._client, layout)
