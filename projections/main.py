"""The projector process: brings the tables up to date, then follows the record for ever."""

import signal
from threading import Event

import psycopg
import structlog

from infra.database import connect, migrate
from infra.event_log.errors import LogUnavailable
from infra.event_log.layout import Layout
from infra.logging import set_up_logging
from infra.settings import Settings
from projections.projector import events_follower, follow, telemetry_follower
from projections.rebuild import LIVE, MIGRATIONS, renew

_PAUSE_S = 0.3

_log = structlog.get_logger(__name__)


def project(settings: Settings, stopped: Event) -> None:
    """Follow the record until stopped; servers that go away are waited for."""
    while not stopped.is_set():
        try:
            _follow(settings, stopped)
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable, LogUnavailable) as error:
            # UndefinedTable: a rebuild has swapped the tables under this connection.
            _log.warning("projector_reconnected", error=type(error).__name__)
            stopped.wait(_PAUSE_S)


def _follow(settings: Settings, stopped: Event) -> None:
    migrate(settings.postgres_url, LIVE, MIGRATIONS)
    if renew(settings.postgres_url, settings.nats_reader_url):
        _log.info("read_models_renewed")
    with connect(settings.postgres_url, LIVE) as connection:
        events = events_follower(connection, settings.nats_reader_url, Layout())
        telemetry = telemetry_follower(connection, settings.nats_reader_url)
        try:
            follow(connection, (events, telemetry), stopped)
        finally:
            events.close()
            telemetry.close()


def main() -> None:
    """Entry point of the process."""
    set_up_logging("projector")
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    project(Settings(), stopped)


if __name__ == "__main__":
    main()
