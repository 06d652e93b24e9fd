"""The key that values of secrets are sealed with: 32 random bytes in a file of mode 0600."""

import secrets
import stat
from base64 import b64decode, b64encode
from binascii import Error
from pathlib import Path

from infra.embedded.data_folder import create_durably

KEY_BYTES = 32
_FOR_OTHERS = stat.S_IRWXO


class KeyUnusable(Exception):
    """There is no key to be had from the file; says why, and never what it holds."""


def secret_key(path: Path) -> bytes:
    """The key in a file, made on first use: of several processes, the first one's counts.

    Raises KeyUnusable.
    """
    try:
        return _read(path)
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from None


def _read(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_durably(path, b64encode(secrets.token_bytes(KEY_BYTES)).decode())
    if path.stat().st_mode & _FOR_OTHERS:
        raise KeyUnusable(f"{path} must not be open to everybody: set its mode to 0600")
    try:
        key = b64decode(path.read_text().strip(), validate=True)
    except (Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"{path} does not hold {KEY_BYTES} bytes in base64")
    return key
