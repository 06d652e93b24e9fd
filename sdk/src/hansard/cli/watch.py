"""Live progress of a run: drawn in place on a terminal, plain lines elsewhere."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hansard.cli.output import number
from hansard.client import (
    AsyncClient,
    HardwareEvent,
    LiveEvent,
    LogEvent,
    MetricsEvent,
    ProgressEvent,
    Run,
    StatusEvent,
)
from hansard.client_errors import HansardError

PATIENCE_S = 30.0
_HISTORY = 48
_LOG_LINES = 8
_DRAIN_S = 2.0
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_METRICS_S = 1.0
_UNITS = {"percent": "%", "mb": "MB"}


@dataclass(slots=True)
class Progress:
    """What is known of a run so far, folded from its live events."""

    run: str
    status: str
    doing: str = ""
    values: dict[str, deque[float]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    hardware: dict[str, float] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))

    def fold(self, event: LiveEvent) -> None:
        """Take an event in."""
        match event:
            case StatusEvent(status=str(status)):
                self.status, self.doing = status, ""
            case ProgressEvent():
                self.doing = event.what or ""
            case HardwareEvent():
                self.hardware |= {points.key: points.values[-1] for points in event.series}
            case MetricsEvent():
                for points in event.series:
                    history = self.values.setdefault(points.key, deque(maxlen=_HISTORY))
                    history.extend(points.values)
                    self.steps[points.key] = points.steps[-1]
            case LogEvent():
                self.lines.extend(event.lines)
            case _:
                pass


def sparkline(values: "deque[float] | list[float]") -> str:
    """Values as bars between their smallest and largest; a gap for NaN and infinities.

    >>> sparkline([0.0, 1.0, 2.0])
    '▁▄█'
    """
    finite = [value for value in values if abs(value) < float("inf")]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        _BARS[int((value - low) * scale)] if abs(value) < float("inf") else " " for value in values
    )


def taken(hardware: dict[str, float]) -> str:
    """What a step takes of its node, in a line: CPU, memory, and each GPU it uses.

    >>> taken({"system/cpu_percent": 153.2, "system/memory_mb": 412.0, "system/gpu0_percent": 80.0})
    'cpu 153 %  memory 412 MB  gpu0 80 %'
    """
    names = [name.removeprefix("system/") for name in sorted(hardware)]
    gpus = [name for name in names if name.startswith("gpu")]
    words = []
    for name in ("cpu_percent", "memory_mb", *gpus):
        if (value := hardware.get(f"system/{name}")) is not None:
            what, _, unit = name.rpartition("_")
            words.append(f"{what.replace('_', ' ')} {value:.0f} {_UNITS[unit]}")
    return "  ".join(words)


def drawn(progress: Progress) -> Group:
    """The picture: status, a line a metric, the last lines of output."""
    head = Text.assemble((progress.run, "bold"), "  ", (progress.status, _colour(progress.status)))
    if progress.doing:
        head.append(f"  {progress.doing}", "dim")
    if progress.hardware:
        head.append(f"  {taken(progress.hardware)}", "dim")
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, values in progress.values.items():
        step = Text(f"step {progress.steps[key]}", "dim")
        table.add_row(Text(key), Text(number(values[-1]), "bold"), step, Text(sparkline(values)))
    return Group(head, table, *(Text(line, "dim", no_wrap=True) for line in progress.lines))


def watch(run: Run, *, quiet: bool = False) -> Run:
    """Show a run until it has ended; answers it as it ended. `quiet` shows nothing.

    Raises KeyboardInterrupt when the user stops watching: the run goes on.
    """
    progress = Progress(run.id, run.status)
    console = Console(highlight=False, markup=False)
    if quiet:
        return asyncio.run(_follow(run, lambda event: None))
    if not console.is_terminal:
        return asyncio.run(_follow(run, PlainLines(console.print).event))
    with Live(drawn(progress), console=console, refresh_per_second=8) as live:

        def fold(event: LiveEvent) -> None:
            progress.fold(event)
            live.update(drawn(progress))

        return asyncio.run(_follow(run, fold))


class PlainLines:
    """Events as lines of text, for files and pipes; metrics at most once a second."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last_metrics_at = 0.0

    def event(self, event: LiveEvent) -> None:
        """Write what an event says."""
        match event:
            case StatusEvent(status=str(status)):
                self._write(f"{event.time:%H:%M:%S} {status}")
            case LogEvent():
                for line in event.lines:
                    self._write(line)
            case HardwareEvent():
                pass
            case MetricsEvent():
                self._metrics(event)
            case _:
                pass

    def _metrics(self, event: MetricsEvent) -> None:
        at = max((points.times[-1] for points in event.series), default=0) / 1000
        if at - self._last_metrics_at < _PLAIN_METRICS_S:
            return
        self._last_metrics_at = at
        values = " ".join(f"{each.key}={number(each.values[-1])}" for each in event.series)
        step = max(points.steps[-1] for points in event.series)
        self._write(f"step {step}  {values}")


async def _follow(run: Run, hear: Callable[[LiveEvent], None]) -> Run:
    """Hear the live events of a run until it has ended.

    The end comes from the read model, so that nothing a live stream does can keep this waiting.
    """
    async with AsyncClient(patience_s=PATIENCE_S) as client:
        listening = asyncio.create_task(_listen(client, run, hear))
        try:
            ended = await client.wait(run)
            await asyncio.wait([listening], timeout=_DRAIN_S)
            return ended
        finally:
            listening.cancel()
            # What a broken stream did not show can be read later; the end is known without it.
            with suppress(asyncio.CancelledError, HansardError):
                await listening


async def _listen(client: AsyncClient, run: Run, hear: Callable[[LiveEvent], None]) -> None:
    async for event in client.live(run=run):
        hear(event)


def _colour(status: str) -> str:
    colours = {"succeeded": "green", "running": "cyan", "failed": "red", "lost": "red"}
    return colours.get(status, "yellow")
