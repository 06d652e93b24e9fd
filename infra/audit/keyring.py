"""The private key that signs checkpoints: a file of the data folder's credentials, mode 0600.

A new key lies beside the old one until the checkpoint that both have signed is stored; then it
takes its place, and the old one is gone.
"""

import os
import secrets
from pathlib import Path

from infra.audit.note import PrivateKey, PublicKey
from infra.embedded.data_folder import create_durably, sync_folder

_SEED_BYTES = 32


class KeyRing:
    """The keys in `<data folder>/credentials`."""

    def __init__(self, folder: Path) -> None:
        self._current = folder / "credentials" / "audit-key"
        self._next = folder / "credentials" / "audit-key.next"

    def first(self) -> PrivateKey:
        """The key of a record without checkpoints, and with it the name of the record."""
        return self._made(self._current, f"hansard/{secrets.token_hex(6)}")

    def signer(self, found: PublicKey | None = None) -> PrivateKey | None:
        """The key that signs now; a new one takes over once `found`, the record's, is that."""
        waiting = _read(self._next)
        if waiting is not None and waiting.public == found:
            os.replace(self._next, self._current)
            sync_folder(self._current.parent)
        return _read(self._current)

    def successor(self, name: str) -> PrivateKey:
        """The key that will sign once it is in the record."""
        return self._made(self._next, name)

    def _made(self, path: Path, name: str) -> PrivateKey:
        self._current.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_durably(path, PrivateKey(name, secrets.token_bytes(_SEED_BYTES)).secret_text())
        made = _read(path)
        assert made is not None
        return made


def _read(path: Path) -> PrivateKey | None:
    return PrivateKey.parse(path.read_text()) if path.exists() else None
