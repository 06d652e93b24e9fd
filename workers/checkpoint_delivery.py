"""Hands each checkpoint to whoever keeps it elsewhere: folders, buckets, servers that take a POST.

Each outlet gets them in order, every one at least once; where it is up to lies in the data folder.
"""

import asyncio
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from hansard.sources.errors import AddressRefused, SourceError
from hansard.sources.http_request import HttpRequest
from hansard.sources.network import Guard
from infra.artifacts.storage import Storage, StorageFailed, open_storage
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.keyring import KeyRing
from infra.audit.ledger import Entry, Place, unpack
from infra.audit.note import PublicKey
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import LogUnavailable, StorageFull
from infra.event_log.message import LogMessage
from infra.settings import Settings

_PAGE = 100
_LOOK_EVERY_S = 2.0
_TRY_AGAIN_S = 30.0
_FAILED = (SourceError, StorageFailed, StorageFull, OSError, ValueError)

_log = structlog.get_logger(__name__)


class Outlet(Protocol):
    """Somebody who keeps checkpoints."""

    def hand_over(self, signed: SignedCheckpoint) -> None:
        """Give one; the same again changes nothing. Raises one of `_FAILED`."""


class FileOutlet:
    """Files `checkpoints/<size>-<digest>.txt` in a folder or below `s3://bucket/prefix`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._storage: Storage | None = None

    def hand_over(self, signed: SignedCheckpoint) -> None:
        """Write the file unless it is there."""
        if self._storage is None:
            self._storage = open_storage(self._address, Path())
        name = f"{signed.said.size:016}-{sha256(signed.note.text.encode()).hexdigest()[:12]}"
        self._storage.put(f"checkpoints/{name}.txt", [str(signed.note).encode()])


class PostOutlet:
    """A server that is sent each note."""

    def __init__(self, address: str, token_file: Path | None, *, private: bool) -> None:
        self._address = address
        self._token_file = token_file
        self._private = private

    def hand_over(self, signed: SignedCheckpoint) -> None:
        """POST it; the name of the server is looked up anew each time."""
        if not self._private and not self._address.startswith("https://"):
            raise AddressRefused("an outlet without TLS needs HANSARD_AUDIT_PRIVATE")
        token = {"token": self._token_file.read_text().strip()} if self._token_file else {}
        request = HttpRequest(self._address, Guard(allow_private=self._private), token)
        request.post(str(signed.note).encode(), "text/plain; charset=utf-8")


def outlets_of(settings: Settings) -> dict[str, Outlet]:
    """The outlets that are set, by address."""
    token, private = settings.audit_token_file, settings.audit_private
    return {
        address: PostOutlet(address, token, private=private)
        if address.startswith(("https://", "http://"))
        else FileOutlet(address)
        for address in settings.audit_outlets.split()
    }


class Delivery:
    """What one outlet has got, and the rest for it."""

    def __init__(
        self, address: str, outlet: Outlet, folder: Path, keys: KeyRing, place: Place | None = None
    ) -> None:
        parts = urlsplit(address)
        self.name = f"{parts.scheme}://{parts.hostname}" if parts.hostname else address
        """What logs may say: paths and queries of addresses are often secrets."""
        self._outlet = outlet
        self._keys = keys
        self._place = place or Place()
        self._file = folder / f"{sha256(address.encode()).hexdigest()[:16]}.json"
        self._position, self._key = self._known()

    def deliver(self, reader: BulkReader) -> int:
        """Hand over what is new; answers how many. Raises `_FAILED`, LogUnavailable."""
        count = 0
        while page := reader.read_after(self._position, _PAGE, self._place.subject):
            for message in page:
                entry = self._genuine(message)
                if entry is not None:
                    self._outlet.hand_over(entry.signed)
                    self._key = entry.signed.said.key or self._key
                    count += 1
                self._position = message.position
                if entry is not None:
                    self._remember()
        return count

    def _genuine(self, message: LogMessage) -> Entry | None:
        """Somebody who can write to the broker must not reach outlets with forged checkpoints."""
        try:
            entry = unpack(message)
        except ValueError:
            return None
        own = self._keys.signer()
        first = entry.signed.said.key if self._key is None else None
        known = (self._key, own.public if own else None, first)
        return entry if any(key and entry.signed.note.is_signed_by(key) for key in known) else None

    def _known(self) -> tuple[int, PublicKey | None]:
        with suppress(OSError, ValueError, KeyError):
            told = json.loads(self._file.read_text())
            return int(told["position"]), PublicKey.parse(told["key"])
        return 0, None

    def _remember(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._file.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w") as file:
            json.dump({"position": self._position, "key": str(self._key)}, file)
        part.rename(self._file)


def deliveries_of(settings: Settings, keys: KeyRing) -> list[Delivery]:
    """One for each outlet that is set."""
    folder = settings.folder / "audit"
    return [
        Delivery(address, outlet, folder, keys) for address, outlet in outlets_of(settings).items()
    ]


async def deliver_all(deliveries: Sequence[Delivery], url: str, stopped: threading.Event) -> None:
    """Deliver until the process must stop; one outlet that fails holds up no other."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max(len(deliveries), 1), "outlet") as threads:
        await asyncio.gather(
            *(loop.run_in_executor(threads, _follow, each, url, stopped) for each in deliveries)
        )


def _follow(delivery: Delivery, url: str, stopped: threading.Event) -> None:
    with BulkReader(url, Place().stream) as reader:
        pause_s = 0.0
        while not stopped.wait(pause_s):
            pause_s = _LOOK_EVERY_S
            try:
                if count := delivery.deliver(reader):
                    _log.info("checkpoints_handed_over", outlet=delivery.name, count=count)
            except (*_FAILED, LogUnavailable) as error:
                pause_s = _TRY_AGAIN_S
                kind = type(error).__name__  # its words may hold the address
                _log.error("checkpoint_not_taken", outlet=delivery.name, error=kind)
