"""What the server's commands do; `api.cli` loads this when one of them is called."""

import json
import sys
import time
from pathlib import Path

import structlog
import typer

from api.embedded import Embedded, running_settings
from api.redecide import redecide_all
from infra.embedded.data_folder import AlreadyRunning, DataFolder
from infra.embedded.postgres import Unreachable
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.logging import set_up_logging
from infra.settings import Settings
from projections.rebuild import rebuild
from projections.status import status


def up(data_dir: Path | None, backend: str | None, port: int, cluster: str | None) -> None:
    """Supervise a platform until it is stopped."""
    set_up_logging("up")
    given = {"data_dir": data_dir, "backend": backend, "port": port, "cluster": cluster}
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


def show_status(data_dir: Path | None, as_json: bool) -> None:
    """Positions reached, and dead letters."""
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


def rebuild_all(data_dir: Path | None, as_json: bool) -> None:
    """Rebuild, compare, swap."""
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


def verify_decisions(data_dir: Path | None, as_json: bool) -> None:
    """Decide all recorded decisions again."""
    settings = running_settings(data_dir)
    layout = Layout()
    with BulkReader(settings.nats_reader_url, layout.stream) as reader:
        result = redecide_all(reader, layout)
    if as_json:
        found = [{"id": d.id, **d.outcome.as_dict()} for d in result.disagreements]
        typer.echo(json.dumps({"decisions": result.decisions, "disagreements": found}))
    else:
        for one in result.disagreements:
            again = one.outcome.problem or f"now {_verdict(one.outcome.again)}"
            typer.echo(
                f"differs: {one.id}: recorded {_verdict(one.outcome.recorded)}, {again}", err=True
            )
        same = result.decisions - len(result.disagreements)
        typer.echo(f"{same} of {result.decisions} decisions are the same again")
    if result.disagreements:
        raise typer.Exit(1)


def _verdict(permitted: bool | None) -> str:
    return "permitted" if permitted else "denied"


def _tell_ready(embedded: Embedded, seconds: float) -> None:
    structlog.get_logger(__name__).info("platform_ready", duration_s=round(seconds, 1))
    typer.echo(f"Hansard answers at {embedded.url} (ready after {seconds:.1f} s)")
    typer.echo(f"Address and first token, for `hansard` commands here: {embedded.client_file}")
    if embedded.exposed:
        typer.echo(
            "Ray starts in the background; others reach its ports, which need a token: "
            + _why_exposed(embedded)
        )
    typer.echo("Ctrl-C stops it.")


def _why_exposed(embedded: Embedded) -> str:
    if embedded.settings.cluster:
        return "this is a cluster that nodes join. Keep strangers off this network."
    return "this system allows no network namespace."


def _fail(sentence: str) -> None:
    typer.echo(f"error: {sentence}", err=True)
    raise typer.Exit(1)
