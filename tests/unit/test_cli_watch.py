"""Live progress: what is folded, and what is drawn of it."""

from datetime import UTC, datetime

from rich.console import Console

from hansard.cli.watch import PlainLines, Progress, drawn, sparkline
from hansard.client import (
    HardwareEvent,
    LiveEvent,
    LogEvent,
    MetricsEvent,
    ProgressEvent,
    StatusEvent,
)

RUN = "run-1"


def status(value: str | None) -> StatusEvent:
    at = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    return StatusEvent(run=RUN, topic="run.x.v1", status=value, position=1, time=at)


def metrics(key: str, *values: float, at_ms: int = 1_000_000) -> MetricsEvent:
    steps = list(range(1, len(values) + 1))
    points = {"key": key, "steps": steps, "values": values, "times": [at_ms] * len(values)}
    return MetricsEvent.model_validate({"run": RUN, "attempt": 1, "series": [points]})


def lines(*text: str) -> LogEvent:
    return LogEvent(
        run=RUN, attempt=1, stream="stdout", first_line=1, lines=list(text), times=[0] * len(text)
    )


def picture(*events: LiveEvent) -> str:
    progress = Progress(RUN, "requested")
    for event in events:
        progress.fold(event)
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(drawn(progress))
    return captured.get()


def test_the_picture_shows_status_newest_value_curve_and_last_lines() -> None:
    shown = picture(status("running"), metrics("loss", 4.0, 2.0, 1.0), lines("epoch 1", "epoch 2"))
    assert "run-1  running" in shown
    assert "loss" in shown
    assert "step 3" in shown
    assert "█▃▁" in shown
    assert "epoch 2" in shown


def test_what_the_step_takes_of_its_node_is_beside_the_status_and_no_metric() -> None:
    figures = {"cpu_percent": 153.4, "memory_mb": 412.0, "disk_mb": 3.0, "gpu0_percent": 80.0}
    points = [
        {"key": f"system/{name}", "steps": [0], "values": [value], "times": [0]}
        for name, value in figures.items()
    ]
    event = HardwareEvent.model_validate({"run": RUN, "attempt": 1, "series": points})
    shown = picture(status("running"), event)
    assert "cpu 153 %  memory 412 MB  gpu0 80 %" in shown
    assert "step" not in shown


def test_only_the_last_lines_are_shown() -> None:
    shown = picture(lines(*(f"line {i}" for i in range(100))))
    assert "line 99" in shown
    assert "line 90" not in shown


def test_text_of_users_is_never_read_as_markup() -> None:
    assert "[bold]x[/bold]" in picture(lines("[bold]x[/bold]"))


def test_an_event_without_a_status_leaves_it() -> None:
    assert "running" in picture(status("running"), status(None))


def test_what_the_node_does_is_shown_until_the_status_changes() -> None:
    doing = ProgressEvent(run=RUN, attempt=1, state="preparing", what="environment")
    assert "environment" in picture(status("starting"), doing)
    assert "environment" not in picture(status("starting"), doing, status("running"))


def test_a_curve_has_gaps_where_there_is_no_number() -> None:
    assert sparkline([1.0, float("nan"), 2.0, float("inf")]) == "▁ █ "
    assert sparkline([float("nan")]) == " "
    assert sparkline([3.0, 3.0]) == "▁▁"


def test_plain_lines_show_metrics_at_most_once_a_second() -> None:
    written: list[str] = []
    plain = PlainLines(written.append)
    plain.event(status("running"))
    for at_ms in (1_000_000, 1_000_500, 1_001_200):
        plain.event(metrics("loss", 0.5, at_ms=at_ms))
    plain.event(lines("done"))
    assert written == ["12:30:00 running", "step 1  loss=0.5", "step 1  loss=0.5", "done"]
