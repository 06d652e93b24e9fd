"""Waiting for a position begins before the tables are there, and outlives their absence."""

import asyncio
from uuid import uuid4

import pytest
from psycopg_pool import ConnectionPool

from api.positions import Positions
from domain.errors import DomainError
from infra.database import Connection, connect, migrate, options
from projections.rebuild import MIGRATIONS
from tests.integration.conftest import Servers


async def test_a_wait_that_began_before_the_first_migration_ends(servers: Servers) -> None:
    schema = f"read_{uuid4().hex[:8]}"
    kwargs = {"options": options(schema), "autocommit": True}
    pool: ConnectionPool[Connection] = ConnectionPool(servers.postgres, kwargs=kwargs, open=True)
    with pool:
        waiting = asyncio.create_task(Positions(pool).wait(7))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(migrate, servers.postgres, schema, MIGRATIONS)
        with connect(servers.postgres, schema) as connection:
            connection.execute("UPDATE tracking SET position = 7 WHERE stream = 'EVENTS'")
        await asyncio.wait_for(waiting, 5)


async def test_a_position_that_never_comes_is_told_so(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.positions._PATIENCE_S", 0.3)
    schema = f"read_{uuid4().hex[:8]}"
    migrate(servers.postgres, schema, MIGRATIONS)
    kwargs = {"options": options(schema), "autocommit": True}
    pool: ConnectionPool[Connection] = ConnectionPool(servers.postgres, kwargs=kwargs, open=True)
    with pool, pytest.raises(DomainError) as behind:
        await Positions(pool).wait(1)
    assert behind.value.code == "behind"
