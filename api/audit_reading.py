"""What the commands of `hansard audit` read: a running platform, a folder at rest, files."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer

from api.embedded import running_settings
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.history import Fault, History, read_history
from infra.audit.ledger import Place, messages
from infra.audit.note import PublicKey
from infra.audit.source import NoRecord, copied_record, is_running
from infra.embedded.child import StartFailed
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import LogUnavailable
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage
from infra.settings import Settings

NOT_READ = (NoRecord, StartFailed, LogUnavailable, FileNotFoundError, TimeoutError)
"""Why it cannot be known what is recorded."""
_USAGE = 2


@contextmanager
def record(data_dir: Path | None, backup: Path | None) -> Iterator[str]:
    """The address to read from: a running platform's, or that of a broker over a copy."""
    if backup is not None:
        with copied_record(backup) as url:
            yield url
        return
    settings = settings_of(data_dir)
    if settings.nats_reader_url:
        yield settings.nats_reader_url
        return
    if is_running(settings.folder):
        yield running_settings(data_dir).nats_reader_url
        return
    with copied_record(settings.folder) as url:
        yield url


@contextmanager
def ledger(
    data_dir: Path | None, backup: Path | None = None, trusted: PublicKey | None = None
) -> Iterator[tuple[str, History]]:
    """The address to read from, and the checkpoints there."""
    try:
        with record(data_dir, backup) as url:
            yield url, _history(url, trusted)
    except NOT_READ as error:
        refuse(str(error))


def _history(url: str, trusted: PublicKey | None) -> History:
    place, layout = Place(), Layout()
    try:
        with BulkReader(url, place.stream) as reader:
            return read_history(messages(reader, place), trusted, partial(_again, url, place))
    except LogUnavailable:
        with BulkReader(url, layout.stream) as reader:  # is it the broker, or the one stream?
            reader.last(layout.everything)
        return History(faults=[Fault(0, f"there is no stream {place.stream} with checkpoints")])


def _again(url: str, place: Place, position: int) -> LogMessage | None:
    with BulkReader(url, place.stream) as reader:
        found = reader.read_after(position - 1, 1, place.subject)
    return found[0] if found else None


def checkpoint_of(path: Path) -> SignedCheckpoint:
    """The checkpoint in a file."""
    try:
        return SignedCheckpoint.parse(path.read_text())
    except (OSError, ValueError) as error:
        refuse(f"{path}: {error}")


def key_of(text: str) -> PublicKey:
    """The public key of a text."""
    try:
        return PublicKey.parse(text)
    except ValueError as error:
        refuse(str(error))


def settings_of(data_dir: Path | None) -> Settings:
    """What the environment says, with another data folder if one is given."""
    return Settings() if data_dir is None else Settings(data_dir=data_dir)


def refuse(sentence: str) -> NoReturn:
    """End with exit code 2: what was asked makes no sense, or could not be found out."""
    typer.echo(f"error: {sentence}", err=True)
    raise typer.Exit(_USAGE)
