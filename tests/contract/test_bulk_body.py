"""Bodies that a handler takes by itself, over real connections: whole, cut off, slow."""

import asyncio
import json
from uuid import uuid4

import pytest

import api.bulk_body
from hansard.formats.objects import Kind, name_of
from hansard.formats.packs import FRAME
from tests.contract.served_platform import Address

PIECE = bytes(range(256)) * 8192  # 2 MiB


def frame(content: bytes = PIECE) -> bytes:
    name = name_of(Kind.PIECE, content)
    return FRAME.pack(name, Kind.PIECE, 0, len(content), len(content)) + content


class Wire:
    """A connection to a server, by hand."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._host, self._port = address.url.removeprefix("http://").split(":")
        self._upload = f"upload-{uuid4()}"

    async def __aenter__(self) -> "Wire":
        self.reader, self.writer = await asyncio.open_connection(self._host, int(self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def head(self, length: int, *more: str) -> bytes:
        lines = (
            f"PUT /v1/uploads/{self._upload}/packs HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {self._address.token}",
            f"Content-Length: {length}",
            *more,
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    async def answer(self) -> tuple[int, object]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split()[0])
        body = await self.reader.readexactly(length)
        return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("first", [0, 1, 70_000, 2_000_000])
async def test_a_body_is_whole_however_it_comes_and_requests_follow(
    address: Address, first: int
) -> None:
    body = frame()
    async with Wire(address) as wire:
        for _ in range(3):
            wire.writer.write(wire.head(len(body)) + body[:first])
            await wire.writer.drain()
            await asyncio.sleep(0.05)
            wire.writer.write(body[first:])
            assert await wire.answer() == (201, {"received": len(body)})


async def test_a_request_sent_behind_a_body_is_answered_too(address: Address) -> None:
    body = frame()
    async with Wire(address) as wire:
        wire.writer.write(2 * (wire.head(len(body)) + body))
        for _ in range(2):
            assert await wire.answer() == (201, {"received": len(body)})


async def test_a_client_that_waits_to_be_asked_is_asked(address: Address) -> None:
    body = frame()
    async with Wire(address) as wire:
        wire.writer.write(wire.head(len(body), "Expect: 100-continue"))
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.writer.write(body)
        assert (await wire.answer())[0] == 201


async def test_a_body_that_is_cut_off_keeps_nothing_and_harms_nobody(address: Address) -> None:
    body = frame(PIECE[::-1])
    for sent in (0, 100_000, len(body) - 1):
        async with Wire(address) as wire:
            wire.writer.write(wire.head(len(body)) + body[:sent])
            await wire.writer.drain()
            await asyncio.sleep(0.05)
    async with Wire(address) as wire:
        wire.writer.write(wire.head(len(body)) + body)
        assert (await wire.answer())[0] == 201


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.bulk_body, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(api.bulk_body, "_LEAST_BYTES_PER_S", 1 << 30)


@pytest.mark.usefixtures("_impatient")
async def test_who_does_not_send_the_rest_is_told_and_cut_off(address: Address) -> None:
    async with Wire(address) as wire:
        wire.writer.write(wire.head(len(frame())) + b"x")
        assert await wire.reader.read() == b""
