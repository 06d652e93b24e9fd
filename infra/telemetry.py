"""Telemetry of runs on its stream: where a frame lies, and what it is.

Subject: `tel.<node>.<project>.<experiment>.<run>.<attempt>.<kind>`, so that everything of a run, an
experiment or a project is one filter. The payload is a frame of `hansard.formats.frames`.
"""

from dataclasses import dataclass

from hansard.formats.frames import Frame, Kind, unpack_items, unpack_log, unpack_status
from infra.event_log.message import LogMessage

__all__ = [
    "EVERYTHING",
    "STREAM",
    "Frame",
    "Kind",
    "Source",
    "TelemetryFrame",
    "of_experiment",
    "of_project",
    "of_run",
    "parse",
    "statuses",
    "unpack_items",
    "unpack_log",
    "unpack_status",
]

STREAM = "TELEMETRY"
EVERYTHING = "tel.>"

_LETTERS = {
    Kind.METRICS: "m",
    Kind.LOG: "l",
    Kind.STATUS: "s",
    Kind.ITEMS: "i",
    Kind.HARDWARE: "h",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The run attempt a frame speaks of, and the node it comes from."""

    node: str
    project: str
    experiment: str
    run: str
    attempt: int

    def subject(self, kind: Kind) -> str:
        """Subject of this attempt's frames of a kind."""
        place = (self.node, self.project, self.experiment, self.run, str(self.attempt))
        return ".".join(("tel", *place, _LETTERS[kind]))


@dataclass(frozen=True, slots=True)
class TelemetryFrame:
    """A frame at its position in the telemetry stream."""

    position: int
    source: Source
    frame: Frame
    time: str


def parse(message: LogMessage) -> TelemetryFrame:
    """The frame in a stored message. Raises ValueError (FrameError) if it is none."""
    _, node, project, experiment, run, attempt, _ = message.subject.split(".")
    source = Source(node, project, experiment, run, int(attempt))
    return TelemetryFrame(message.position, source, Frame.from_bytes(message.payload), message.time)


def of_project(project: str) -> str:
    """Subject filter of a project's telemetry."""
    return f"tel.*.{project}.>"


def of_experiment(experiment: str) -> str:
    """Subject filter of an experiment's telemetry."""
    return f"tel.*.*.{experiment}.>"


def of_run(run: str, kind: Kind | None = None) -> str:
    """Subject filter of a run's telemetry, of one kind or of all."""
    return f"tel.*.*.*.{run}.*.{_LETTERS[kind]}" if kind else f"tel.*.*.*.{run}.>"


def statuses() -> str:
    """Subject filter of all status frames."""
    return f"tel.*.*.*.*.*.{_LETTERS[Kind.STATUS]}"
