"""What `hansard artifacts gc|verify|reindex|usage` do; `api.cli` loads this when one is called."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer

from api.embedded import running_settings
from infra.artifacts.collection import Collected, Limits, RecordBehind, collect
from infra.artifacts.reindex import reindex
from infra.artifacts.roots import LiveRoots, UnknownEvent
from infra.artifacts.scrub import damaged_roots, scrub
from infra.artifacts.storage import open_storage
from infra.artifacts.store import ArtifactStore
from infra.artifacts.usage import usage
from infra.database import Connection
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.logging import set_up_logging
from infra.settings import Settings


def gc(data_dir: Path | None, grace_hours: float | None, as_json: bool, *, dry_run: bool) -> None:
    """Collect garbage now."""
    settings = _settings(data_dir)
    hours = settings.artifact_grace_hours if grace_hours is None else grace_hours
    with (
        _opened(settings) as (store, connection),
        BulkReader(settings.nats_reader_url, Layout().stream) as reader,
    ):
        read = LiveRoots(reader).read
        limits = Limits.grace(hours)
        try:
            found = collect(store.storage, connection, read, limits, dry_run=dry_run)
        except (RecordBehind, UnknownEvent) as error:
            typer.echo(f"error: {error}; nothing was condemned", err=True)
            raise typer.Exit(1) from None
    typer.echo(json.dumps(asdict(found)) if as_json else _collected(found, dry_run=dry_run))


def _collected(found: Collected, *, dry_run: bool) -> str:
    condemned = f"{found.condemned} objects of {found.condemned_bytes} bytes"
    if dry_run:
        return f"would condemn {condemned}"
    removed = f"{found.removed} objects of {found.removed_bytes} bytes"
    return f"condemned {condemned}; removed {removed}; freed {found.freed} bytes on the storage"


def verify(data_dir: Path | None, as_json: bool) -> None:
    """Read all that is stored; exit code 1 if any of it is damaged."""
    settings = _settings(data_dir)
    with _opened(settings) as (store, connection):
        found = scrub(store.storage, connection, progress=_Shown("packs", as_json))
        artifacts = _artifacts(connection, damaged_roots(connection))
    if as_json:
        typer.echo(json.dumps({**asdict(found), "artifacts": artifacts}))
    else:
        for each in artifacts:
            typer.echo(f"damaged: {each['id']}: {each['damaged']} objects", err=True)
        typer.echo(f"{found.objects} objects in {found.packs} packs read, {found.damaged} damaged")
        if found.unreadable:
            typer.echo(f"{found.unreadable} packs could not be read", err=True)
    if artifacts or found.damaged or found.unreadable:
        raise typer.Exit(1)


def _artifacts(connection: Connection, damaged: dict[bytes, int]) -> list[dict[str, object]]:
    """The artifacts that have these roots."""
    counts = {root.hex(): count for root, count in damaged.items()}
    rows = connection.execute(
        "SELECT id, version, root FROM read.artifact WHERE root = ANY(%s) AND NOT deleted "
        "ORDER BY id",
        (list(counts),),
    )
    return [{"id": id_, "version": version, "damaged": counts[r]} for id_, version, r in rows]


def rebuild_index(data_dir: Path | None, as_json: bool) -> None:
    """Rebuild the index from the packs, compare, put right; exit code 1 if anything was wrong."""
    settings = _settings(data_dir)
    storage = open_storage(settings.artifacts_url, settings.files)
    found = reindex(storage, settings.postgres_url, _Shown("packs", as_json))
    if as_json:
        typer.echo(json.dumps({**asdict(found), "equal": found.equal}))
    else:
        outcome = (
            "the index says the same"
            if found.equal
            else (
                f"the index was wrong: {found.unfound} objects not found, {found.misplaced} "
                f"elsewhere, {found.differing} different"
            )
        )
        typer.echo(f"{found.objects} objects in {found.packs} packs: {outcome}")
        if found.unindexed:
            typer.echo(f"{found.unindexed} objects were in packs only, and are known again")
    if not found.equal:
        raise typer.Exit(1)


def show_usage(data_dir: Path | None, as_json: bool) -> None:
    """How much is stored."""
    with _opened(_settings(data_dir)) as (_, connection):
        found = usage(connection)
    if as_json:
        typer.echo(json.dumps({**asdict(found), "ratio": found.ratio}))
        return
    typer.echo(f"{found.artifacts} artifacts of {found.logical} bytes")
    typer.echo(f"{found.objects} objects of {found.raw} bytes in {found.packs} packs")
    shown = "" if found.ratio is None else f", {found.ratio:.1f} times less than the artifacts"
    typer.echo(f"{found.stored} bytes stored{shown}")
    if found.condemned or found.damaged:
        typer.echo(f"{found.condemned} objects condemned, {found.damaged} damaged")


def _settings(data_dir: Path | None) -> Settings:
    set_up_logging("artifacts")  # on stderr: what is printed stays one document
    return running_settings(data_dir)


class _Shown:
    """Progress on a terminal."""

    def __init__(self, what: str, as_json: bool) -> None:
        self._what = what
        self._shown = sys.stderr.isatty() and not as_json

    def __call__(self, done: int, of: int) -> None:
        if self._shown:
            end = "\n" if done == of else ""
            typer.echo(f"\r{self._what}: {done} of {of}{end}", err=True, nl=False)


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[ArtifactStore, Connection]]:
    storage = open_storage(settings.artifacts_url, settings.files)
    store = ArtifactStore(storage, settings.postgres_url)
    try:
        with store.pool.connection() as connection:
            yield store, connection
    finally:
        store.close()
