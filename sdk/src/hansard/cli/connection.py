"""The client as commands use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hansard.client import Client

PATIENCE_S = 5.0
"""Somebody waits at the terminal: say soon that nothing answers."""


@contextmanager
def connected() -> "Iterator[Client]":
    """A client for the server that is configured. Raises NotConfigured."""
    from hansard.client import Client  # noqa: PLC0415 - `hansard --help` needs no httpx

    with Client(patience_s=PATIENCE_S) as client:
        yield client
