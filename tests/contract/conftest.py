"""Contract tests that need real servers share those of the integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.served_platform import Address, served
from tests.integration.conftest import Servers, servers

__all__ = ["servers"]


@pytest.fixture
async def address(servers: Servers, tmp_path: Path) -> AsyncIterator[Address]:
    async with served(servers, tmp_path / "data") as address:
        yield address
