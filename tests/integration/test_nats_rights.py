"""What each NATS user may do, tried on a real server: it is the broker that refuses."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer

_STREAMS = {"EVENTS": "ev.>", "TELEMETRY": "tel.>", "KEYS": "keys.>", "PASSWORDS": "password.>"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server of its own, since streams of the real names are made on it."""
    with DataFolder(tmp_path_factory.mktemp("rights") / "data") as folder:
        server = NatsServer(folder)
        try:
            server.start()
            asyncio.run(_make_streams(server))
            yield server
        finally:
            server.stop()


async def _make_streams(server: NatsServer) -> None:
    async with _connected(server, "admin") as (client, _):
        for name, subject in _STREAMS.items():
            config = StreamConfig(name=name, subjects=[subject], allow_direct=True)
            await client.jetstream().add_stream(config)


@asynccontextmanager
async def _connected(server: NatsServer, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """A client of `user` and the list that the broker's refusals are collected in."""
    refusals: list[str] = []

    async def collect(error: Exception) -> None:
        refusals.append(str(error).lower())

    prefix = f"_INBOX_{user}".encode()
    client = await nats.connect(server.url(user), inbox_prefix=prefix, error_cb=collect)
    try:
        yield client, refusals
    finally:
        await client.close()


async def _first(refusals: list[str]) -> str:
    """The client reports errors from a task of its own, soon after the broker has sent them."""
    async with asyncio.timeout(5):
        while not refusals:
            await asyncio.sleep(0.001)
    return refusals[0]


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("writer", "tel.local.run.1"),
        ("writer", "$JS.API.STREAM.CREATE.MORE"),
        ("writer", "$JS.API.STREAM.UPDATE.EVENTS"),
        ("writer", "$JS.API.STREAM.DELETE.EVENTS"),
        ("writer", "$JS.API.STREAM.PURGE.EVENTS"),
        ("writer", "$JS.API.STREAM.MSG.DELETE.EVENTS"),
        ("writer", "$JS.API.STREAM.DELETE.KEYS"),
        ("writer", "$JS.API.STREAM.DELETE.PASSWORDS"),
        ("writer", "$JS.API.CONSUMER.CREATE.EVENTS"),
        ("reader", "ev.run.x.1"),
        ("reader", "tel.local.run.1"),
        ("reader", "$JS.API.DIRECT.GET.KEYS.keys.someone"),
        ("reader", "$JS.API.DIRECT.GET.PASSWORDS.password.someone.x"),
        ("reader", "$JS.API.STREAM.PURGE.EVENTS"),
        ("telemetry", "ev.run.x.1"),
        ("telemetry", "tel.other.run.1"),
        ("telemetry", "node.other"),
        ("telemetry", "keys.someone"),
        ("telemetry", "password.someone.x"),
        ("telemetry", "$JS.API.DIRECT.GET.EVENTS"),
    ],
)
async def test_a_publish_beyond_the_rights_is_refused(
    server: NatsServer, user: str, subject: str
) -> None:
    async with _connected(server, user) as (client, refusals):
        await client.publish(subject, b"x")
        refusal = await _first(refusals)
    assert f'permissions violation for publish to "{subject.lower()}"' in refusal


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("writer", "keys.>"),
        ("writer", "_INBOX_admin.>"),
        ("reader", "keys.>"),
        ("reader", "_INBOX_writer.>"),
        ("reader", ">"),
        ("telemetry", "ev.>"),
        ("telemetry", "ctl.other.>"),
        ("telemetry", "_INBOX.>"),
    ],
)
async def test_a_subscription_beyond_the_rights_is_refused(
    server: NatsServer, user: str, subject: str
) -> None:
    async with _connected(server, user) as (client, refusals):
        await client.subscribe(subject)
        refusal = await _first(refusals)
    assert f'permissions violation for subscription to "{subject.lower()}"' in refusal


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("writer", "ev.run.x.1"),
        ("writer", "keys.someone"),
        ("telemetry", "tel.local.run.1"),
    ],
)
async def test_a_publish_within_the_rights_is_stored_and_acknowledged(
    server: NatsServer, user: str, subject: str
) -> None:
    async with _connected(server, user) as (client, refusals):
        acknowledgement = await client.jetstream().publish(subject, b"x")
        assert acknowledgement.seq > 0
        assert refusals == []


async def test_the_reader_reads_what_the_writer_wrote_and_hears_of_it(server: NatsServer) -> None:
    async with _connected(server, "reader") as (reader, refusals):
        heard = await reader.subscribe("ev.>")
        await reader.flush()
        async with _connected(server, "writer") as (writer, _):
            await writer.jetstream().publish("ev.run.y.1", b"event")
        assert (await heard.next_msg(5)).data == b"event"
        stored = await reader.request("$JS.API.DIRECT.GET.EVENTS.ev.run.y.1", timeout=5)
        assert stored.data == b"event"
        assert (await reader.jetstream().stream_info("EVENTS")).state.messages > 0
        assert refusals == []


@pytest.mark.parametrize(
    ("name", "subject"), [("KEYS", "keys.erased"), ("PASSWORDS", "password.someone.erased")]
)
async def test_the_writer_can_erase_a_key_and_a_password(
    server: NatsServer, name: str, subject: str
) -> None:
    async with _connected(server, "writer") as (client, refusals):
        stream = client.jetstream()
        await stream.publish(subject, b"secret")
        assert await stream.purge_stream(name, subject=subject)
        with pytest.raises(NotFoundError):
            await stream.get_msg(name, subject=subject, direct=True)
        assert refusals == []


async def test_the_agent_hears_its_node_s_commands(server: NatsServer) -> None:
    async with _connected(server, "telemetry") as (agent, refusals):
        commands = await agent.subscribe("ctl.local.>")
        await agent.flush()
        async with _connected(server, "writer") as (writer, _):
            await writer.publish("ctl.local.cancel", b"run")
            await writer.flush()
        assert (await commands.next_msg(5)).data == b"run"
        with pytest.raises(NoRespondersError):
            await agent.request("node.local", b"", timeout=5)
        assert refusals == []


def test_a_client_without_a_password_is_refused(server: NatsServer) -> None:
    # By hand: nats-py leaves its socket open when its login is refused.
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"CONNECT {}\r\nPING\r\n")
        with client.makefile("rb") as answers:
            assert answers.readline().startswith(b"INFO ")
            assert answers.readline() == b"-ERR 'Authorization Violation'\r\n"
