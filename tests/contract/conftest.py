"""Contract tests that need real servers share those of the integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.command_line import Shell, logged_in
from tests.contract.served_platform import Address, served
from tests.integration.conftest import Servers, _cheap_passwords, servers

__all__ = ["_cheap_passwords", "servers"]


@pytest.fixture
async def address(servers: Servers, tmp_path: Path) -> AsyncIterator[Address]:
    async with served(servers, tmp_path / "data") as address:
        yield address


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder of somebody's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
async def shell(address: Address, home: Path) -> Shell:
    """Somebody at a terminal who has logged in as the administrator."""
    return await logged_in(address, home, address.token)
