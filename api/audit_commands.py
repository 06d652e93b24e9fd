"""What `hansard audit verify` does; `api.cli` loads this when it is called."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from api.audit_reading import checkpoint_of, key_of, ledger, refuse
from infra.audit.chains import Finding
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.history import History
from infra.audit.note import PublicKey
from infra.audit.verify import Part, Verified, verify
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.logging import set_up_logging


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found, in the order in which it is told."""

    verified: Verified
    history: History
    strangers: list[str]

    @property
    def intact(self) -> bool:
        return self.verified.intact and not self.history.faults and not self.strangers


def verify_record(
    data_dir: Path | None,
    backup: Path | None,
    first: int,
    last: int | None,
    checkpoints: Sequence[Path],
    key: str | None,
    as_json: bool,
) -> None:
    """Verify; exit code 1 if anything is wrong, 2 if it could not be found out."""
    if last is not None and last < first:
        refuse("--to is before --from")
    kept = [checkpoint_of(path) for path in checkpoints]
    trusted = key_of(key) if key else None
    set_up_logging("audit")
    with ledger(data_dir, backup, trusted) as (url, history):
        part = Part(first, last)
        checked = _check(url, history, part, kept, trusted, shown=not as_json)
    _tell(checked, as_json)
    if not checked.intact:
        raise typer.Exit(1)


def _check(
    url: str,
    history: History,
    part: Part,
    kept: Sequence[SignedCheckpoint],
    trusted: PublicKey | None,
    *,
    shown: bool,
) -> _Checked:
    layout = Layout()
    keys = [*history.keys, *([trusted] if trusted else [])]
    known = [each for each in kept if any(map(each.note.is_signed_by, keys))]
    strangers = [
        f"the checkpoint of {each.said.size} events in a file is not signed by a key of this record"
        for each in kept
        if each not in known
    ]
    with BulkReader(url, layout.stream) as reader:
        progress = _progress(reader, layout, shown=shown and sys.stderr.isatty())
        return _Checked(verify(reader, layout, history, part, known, progress), history, strangers)


def _progress(reader: BulkReader, layout: Layout, *, shown: bool) -> Callable[[int], None]:
    end = reader.last(layout.everything) if shown else None

    def show(position: int) -> None:
        if end is not None:
            typer.echo(f"\rverified {position} of {end.position}\033[K", err=True, nl=False)
            if position >= end.position:
                typer.echo("", err=True)

    return show


def _tell(checked: _Checked, as_json: bool) -> None:
    verified, history = checked.verified, checked.history
    if as_json:
        finding = asdict(verified.finding) if verified.finding else None
        told = {"events": verified.events, "entities": verified.aggregates}
        told |= {"checkpoints": verified.checkpoints, "covered": verified.covered}
        faults = [fault.what for fault in history.faults] + checked.strangers
        rest = {"finding": finding, "faults": faults, "remarks": history.remarks}
        keys = [str(key) for key in history.keys]
        typer.echo(json.dumps({**told, "intact": checked.intact, **rest, "keys": keys}))
        return
    for remark in history.remarks:
        typer.echo(f"remark: {remark}", err=True)
    for what in [*(fault.what for fault in history.faults), *checked.strangers]:
        typer.echo(f"fault: {what}", err=True)
    if verified.finding is not None:
        typer.echo(f"altered: {_where(verified.finding)}: {verified.finding.what}", err=True)
    how_many = f"{verified.events} events of {verified.aggregates} entities"
    signed = f"{verified.checkpoints} signed checkpoints up to event {verified.covered}"
    typer.echo(f"{'intact' if checked.intact else 'NOT INTACT'}: {how_many}, {signed}")
    if history.keys:
        typer.echo(f"signed by {history.keys[-1]}")


def _where(finding: Finding) -> str:
    if not finding.entity:
        return f"event {finding.position}"
    return f"event {finding.position}, version {finding.version} of {finding.entity}"
