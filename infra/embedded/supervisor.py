"""Keeps named child processes running: starts them in order, restarts what dies, stops in reverse.

Knows nothing about what the services are. One thread, one poll loop: children die with the thread
that spawned them, so `run` belongs in the main thread.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import structlog

from infra.embedded.child import StartFailed, StopSignals, stop

_log = structlog.get_logger(__name__)

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 10.0
_HEALTHY_AFTER_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Service:
    """A process to keep running. `after` names services that must be ready before it starts.

    One that lives but is not `healthy` is stopped, and so started again.
    """

    name: str
    start: Callable[[], "subprocess.Popen[bytes]"]
    ready: Callable[[], bool] | None = None
    stop_signals: StopSignals = ((signal.SIGTERM, 10.0),)
    after: Sequence[str] = ()
    healthy: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class _Child:
    """One service's present process and its history of failure."""

    service: Service
    process: "subprocess.Popen[bytes] | None" = None
    ready: bool = False
    starts_count: int = 0
    started_at: float = 0.0
    next_start_at: float = 0.0
    delay_s: float = field(default=_FIRST_DELAY_S)


class Supervisor:
    """Runs services until SIGTERM, SIGINT or `request_stop`."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._children = {service.name: _Child(service) for service in services}
        assert len(self._children) == len(services), "service names must differ"
        assert all(name in self._children for s in services for name in s.after)
        self._stop_requested = False

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Supervise until asked to stop; `on_ready` is called once, when all are first ready."""
        announced = False
        try:
            with self._stopping_on_signals():
                while not self._stop_requested:
                    self._poll()
                    if not announced and self.all_ready:
                        announced = True
                        on_ready()
                    time.sleep(_POLL_S)
        finally:
            self._stop_all()

    def request_stop(self) -> None:
        """Make `run` stop all services and return; callable from any thread or signal handler."""
        self._stop_requested = True

    @property
    def all_ready(self) -> bool:
        """Whether every service runs and has reported ready since its last start."""
        return all(child.ready for child in self._children.values())

    def pid(self, name: str) -> int | None:
        """The process of service `name`, None while it is down."""
        process = self._children[name].process
        return process.pid if process else None

    def _poll(self) -> None:
        for child in self._children.values():
            if self._stop_requested:
                return
            if child.process is None:
                self._start_if_due(child)
            elif child.process.poll() is not None:
                _bury(child, child.process.returncode)
            elif not child.ready:
                _check_ready(child)
            elif not child.service.healthy():
                _log.warning("service_unhealthy", service=child.service.name)
                stop(child.process, child.service.stop_signals)

    def _start_if_due(self, child: _Child) -> None:
        awaited = (self._children[name].ready for name in child.service.after)
        if time.monotonic() < child.next_start_at or not all(awaited):
            return
        child.started_at = time.monotonic()
        child.starts_count += 1
        try:
            child.process = child.service.start()
        except (OSError, StartFailed) as error:
            _log.error("service_start_failed", service=child.service.name, reason=str(error))
            _back_off(child)

    def _stop_all(self) -> None:
        for child in reversed(self._children.values()):
            if child.process is not None:
                stop(child.process, child.service.stop_signals)
                _log.info("service_stopped", service=child.service.name)
            child.process, child.ready = None, False

    @contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        def request(_number: int, _frame: FrameType | None) -> None:
            self.request_stop()

        former = {n: signal.signal(n, request) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def _check_ready(child: _Child) -> None:
    if child.service.ready is not None and not child.service.ready():
        return
    child.ready = True
    _log.info(
        "service_started" if child.starts_count == 1 else "service_restarted",
        service=child.service.name,
        pid=child.process.pid if child.process else None,
        duration_ms=round((time.monotonic() - child.started_at) * 1000),
    )


def _bury(child: _Child, status: int) -> None:
    _log.warning("service_died", service=child.service.name, status=status)
    if child.ready and time.monotonic() - child.started_at > _HEALTHY_AFTER_S:
        child.delay_s = _FIRST_DELAY_S
    child.process, child.ready = None, False
    _back_off(child)


def _back_off(child: _Child) -> None:
    child.next_start_at = time.monotonic() + child.delay_s
    child.delay_s = min(2 * child.delay_s, _LONGEST_DELAY_S)
