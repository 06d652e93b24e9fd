"""What `hansard audit checkpoints|checkpoint|keys|prove` do: make evidence, and hand it out."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from api.audit_reading import NOT_READ, checkpoint_of, ledger, record, refuse, settings_of
from api.embedded import running_settings
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.checkpointer import CannotSign, Checkpointer
from infra.audit.keyring import KeyRing
from infra.audit.proof import NotProven, Prover
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import StorageFull
from infra.event_log.layout import Layout
from infra.logging import set_up_logging
from infra.nats_connection import connect
from infra.settings import Settings

_ATTEMPTS = 20


def list_checkpoints(data_dir: Path | None, as_json: bool) -> None:
    """The genuine checkpoints; exit code 1 if others are among them."""
    set_up_logging("audit")
    with ledger(data_dir) as (_, history):
        pass
    if as_json:
        typer.echo(json.dumps({"items": [_facts(each.signed) for each in history.entries]}))
    else:
        for entry in history.entries:
            said = entry.signed.said
            rotated = f"  new key {said.key}" if said.key else ""
            typer.echo(
                f"{said.time:%Y-%m-%d %H:%M:%S}Z  {said.size:>10}  {said.root.hex()}{rotated}"
            )
    for fault in history.faults:
        typer.echo(f"fault: {fault.what}", err=True)
    if history.faults:
        raise typer.Exit(1)


def make_checkpoint(data_dir: Path | None, as_json: bool) -> None:
    """Checkpoints up to the end of the log; prints the last."""

    async def work(checkpointer: Checkpointer) -> SignedCheckpoint | None:
        made = None
        while newer := await checkpointer.step(now=True):
            made = newer
        return made or await checkpointer.last()

    _print_note(_signing(data_dir, work), as_json)


def show_keys(data_dir: Path | None, as_json: bool, *, rotate: bool, lost: bool) -> None:
    """The keys, after a rotation if one is asked for."""
    if lost and not rotate:
        refuse("--lost goes with --rotate")
    if rotate:
        _rotate(data_dir, lost=lost)
    own = KeyRing(settings_of(data_dir).folder).signer()
    with ledger(data_dir, trusted=own.public if own else None) as (_, history):
        keys = [str(key) for key in history.keys]
    typer.echo(json.dumps({"items": keys}) if as_json else "\n".join(keys))


def _rotate(data_dir: Path | None, *, lost: bool) -> None:
    async def work(checkpointer: Checkpointer) -> SignedCheckpoint | None:
        for _ in range(_ATTEMPTS):
            if made := await checkpointer.rotate(lost=lost):
                return made
        return None

    if _signing(data_dir, work) is None:
        refuse("others keep making checkpoints: try again")


def prove(
    event: str, out: Path, checkpoint: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Write a proof; exit code 1 if there is none."""
    against = checkpoint_of(checkpoint) if checkpoint else None
    try:
        with record(data_dir, None) as url:
            position = _position(url, event)
            with closing(Prover(url)) as prover:
                proof = prover.prove(position, against)
    except NotProven as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except NOT_READ as error:
        refuse(str(error))
    out.write_text(json.dumps(proof.document(), indent=1) + "\n")
    told = {"position": position, "size": proof.checkpoint.said.size, "file": str(out)}
    by = f"by the checkpoint of {told['size']} events"
    typer.echo(json.dumps(told) if as_json else f"{out}: event {position} {by}")


def _signing(
    data_dir: Path | None,
    work: Callable[[Checkpointer], Awaitable[SignedCheckpoint | None]],
) -> SignedCheckpoint | None:
    """Let a checkpointer of the running platform work, with its key."""
    set_up_logging("audit")

    async def run(settings: Settings) -> SignedCheckpoint | None:
        client = await connect(settings.nats_url, "audit")
        try:
            keys = KeyRing(settings.folder)
            with closing(Checkpointer(client, settings.nats_url, keys)) as checkpointer:
                return await work(checkpointer)
        finally:
            await client.close()

    try:
        return asyncio.run(run(running_settings(data_dir)))
    except (CannotSign, StorageFull) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except NOT_READ as error:
        refuse(str(error))


def _print_note(signed: SignedCheckpoint | None, as_json: bool) -> None:
    if signed is None:
        refuse("nothing is recorded yet")
    typer.echo(json.dumps(_facts(signed)) if as_json else str(signed.note), nl=as_json)


def _facts(signed: SignedCheckpoint) -> dict[str, Any]:
    said = signed.said
    return {
        "origin": said.origin,
        "size": said.size,
        "root": said.root.hex(),
        "time": said.time.isoformat(),
        "note": str(signed.note),
    }


def _position(url: str, event: str) -> int:
    """Of an event that is given by its position, or as ENTITY:VERSION. Raises NotProven."""
    if event.isascii() and event.isdigit() and 0 < int(event) < 1 << 63:
        return int(event)
    entity, separator, version = event.rpartition(":")
    layout = Layout()
    if not separator or not (version.isascii() and version.isdigit()):
        refuse("an event is given by its position, or as ENTITY:VERSION")
    with BulkReader(url, layout.stream) as reader:
        found = reader.last(layout.event(entity, int(version)))
    if found is None:
        raise NotProven(f"there is no version {version} of {entity}")
    return found.position
