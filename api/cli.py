"""The server's part of the `hansard` command: up, demo, projections, audit."""

import json
import sys
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import structlog
import typer

from api.demo import run_demo
from api.embedded import Embedded, running_settings
from infra.embedded.data_folder import AlreadyRunning, DataFolder
from infra.embedded.postgres import Unreachable
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.verify import verify
from infra.logging import set_up_logging
from infra.settings import Settings
from projections.rebuild import rebuild
from projections.status import status

DataDir = Annotated[Path | None, typer.Option(help="Data folder; HANSARD_DATA_DIR or ~/.hansard.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class BackendName(StrEnum):
    """Where runs are placed."""

    RAY = "ray"
    LOCAL = "local"


projections = typer.Typer(no_args_is_help=True, help="The read models folded from the record.")
audit = typer.Typer(no_args_is_help=True, help="Check the record itself.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(up)
    app.command()(demo)
    app.add_typer(projections, name="projections")
    app.add_typer(audit, name="audit")


def up(
    data_dir: DataDir = None,
    backend: Annotated[BackendName | None, typer.Option(help="Where runs are placed.")] = None,
    port: Annotated[int, typer.Option(help="Port of the API; 0 keeps the one chosen first.")] = 0,
) -> None:
    """Start the platform on this machine; Ctrl-C stops it."""
    set_up_logging("up")
    given = {"data_dir": data_dir, "backend": backend, "port": port}
    settings = Settings().model_copy(update={n: v for n, v in given.items() if v})
    started = time.monotonic()
    try:
        with DataFolder(settings.folder) as folder:
            embedded = Embedded(folder, settings)
            embedded.run(lambda: _tell_ready(embedded, time.monotonic() - started))
    except AlreadyRunning as running:
        _fail(f"{running}; stop it first, or choose another --data-dir")
    except Unreachable as unreachable:
        _fail(str(unreachable))


def demo(
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep everything here; a folder that is removed by default.")
    ] = None,
    backend: Annotated[BackendName, typer.Option(help="Where runs are placed.")] = BackendName.RAY,
) -> None:
    """Train a digits classifier end to end, every step of it an event."""
    run_demo(data_dir, backend.value)


@projections.command("status")
def projections_status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Positions reached, and events that could not be folded."""
    settings = running_settings(data_dir)
    found = status(settings.postgres_url, settings.nats_reader_url)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for stream, facts in found["streams"].items():
        typer.echo(f"{stream}: {facts['position']} of {facts['end']} folded")
    for letter in found["dead_letters"]:
        place = f"{letter['stream']} {letter['position']}"
        typer.echo(
            f"not folded: {place} {letter['topic']} of {letter['entity']}: {letter['error']}"
        )


@projections.command("rebuild")
def projections_rebuild(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Build the read models anew beside the live ones, compare, and swap them."""
    settings = running_settings(data_dir)
    shown = sys.stderr.isatty() and not as_json

    def progress(stream: str, position: int, end: int) -> None:
        if shown:
            typer.echo(f"\r{stream}: {position} of {end}    ", err=True, nl=False)

    result = rebuild(settings.postgres_url, settings.nats_reader_url, progress=progress)
    if as_json:
        told = {"events": result.events, "telemetry": result.telemetry}
        typer.echo(json.dumps({**told, "equal": result.equal, "differing": result.differing}))
    else:
        outcome = "equal to" if result.equal else f"different ({', '.join(result.differing)}) from"
        typer.echo(f"{result.events} events folded anew: the tables are {outcome} the live ones")
    if not result.equal:
        raise typer.Exit(1)


@audit.command("verify")
def audit_verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Recompute the hash chain of every entity; exit code 1 names the first altered event."""
    settings = running_settings(data_dir)
    layout = Layout()
    with BulkReader(settings.nats_reader_url, layout.stream) as reader:
        result = verify(reader, layout)
    finding = result.finding
    if as_json:
        told = {"events": result.events, "entities": result.aggregates, "intact": result.intact}
        typer.echo(json.dumps({**told, "finding": asdict(finding) if finding else None}))
    elif finding is None:
        typer.echo(f"intact: {result.events} events of {result.aggregates} entities")
    else:
        where = f"event {finding.position}, version {finding.version} of {finding.entity}"
        typer.echo(f"altered: {where}: {finding.what}", err=True)
    if finding is not None:
        raise typer.Exit(1)


def _tell_ready(embedded: Embedded, seconds: float) -> None:
    structlog.get_logger(__name__).info("platform_ready", duration_s=round(seconds, 1))
    typer.echo(f"Hansard answers at {embedded.url} (everything ready after {seconds:.1f} s)")
    typer.echo(f"Address and first token, for `hansard` commands here: {embedded.client_file}")
    typer.echo("Ctrl-C stops it.")


def _fail(sentence: str) -> None:
    typer.echo(f"error: {sentence}", err=True)
    raise typer.Exit(1)
