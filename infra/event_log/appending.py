"""Writes to the log: one event is a plain publish, several are one atomic batch.

The server syncs every message by itself, so appends that would queue behind one another are
combined into one atomic batch with one sync (group commit). A batch that is refused is taken
apart again, and each append gets its own answer.

Source: NATS ADR-50 (JetStream batch publishing) for the batch headers and error codes.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import orjson
from nats import errors as nats_errors
from nats.aio.client import Client

from infra.event_log import direct_get
from infra.event_log.errors import AppendTooLarge, LogUnavailable, StorageFull, VersionConflict
from infra.event_log.message import APPEND_HEADER
from infra.event_log.reading import ANSWER_TIMEOUT_S, DirectReader, until_answered

MAX_BATCH = 1000
MAX_DIRECT = 4  # beside these, a batch's fixed cost is less than its members' syncs

_WRONG_LAST_SEQUENCE = 10071
_STORAGE_FULL = {10002, 10023, 10028, 10047, 10077}


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to store: its subject is not in the log yet, or the append is refused."""

    subject: str
    headers: Mapping[str, str]
    payload: bytes


@dataclass(eq=False, slots=True)
class _Append:
    entries: Sequence[Entry]
    id: str = field(default_factory=lambda: token_hex(8))
    done: "asyncio.Future[list[int]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def answer(self, outcome: list[int] | Exception) -> None:
        """Tell whoever awaits it, unless nobody does any more."""
        if self.done.done():
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class _Refused(Exception):
    """The broker said no, with an error code that tells why."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class Appender:
    """Appends entries to one stream, each append all or nothing."""

    def __init__(self, client: Client, reader: DirectReader, stream: str) -> None:
        self._client = client
        self._reader = reader
        self._stream = stream
        self._direct = 0
        self._waiting: deque[_Append] = deque()
        self._combining: asyncio.Task[None] | None = None

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        """Store all entries durably and answer their contiguous positions, or store none.

        Raises VersionConflict, StorageFull, AppendTooLarge, or LogUnavailable when the outcome
        is unknown after the deadline.
        """
        if len(entries) > MAX_BATCH:
            raise AppendTooLarge(f"{len(entries)} events in one append; at most {MAX_BATCH}")
        append = _Append(entries)
        if self._combining is None and self._direct < MAX_DIRECT:
            return await self._append_directly(append)
        self._waiting.append(append)
        if self._combining is None:
            self._combining = asyncio.create_task(self._combine_waiting())
        return await append.done

    async def _append_directly(self, append: _Append) -> list[int]:
        self._direct += 1
        try:
            return await self._store(append)
        finally:
            self._direct -= 1

    async def _combine_waiting(self) -> None:
        try:
            while self._waiting:
                await self._store_together(self._take())
        finally:
            self._combining = None

    def _take(self) -> list[_Append]:
        taken, room = [], MAX_BATCH
        while self._waiting and len(self._waiting[0].entries) <= room:
            taken.append(self._waiting.popleft())
            room -= len(taken[-1].entries)
        return taken

    async def _store_together(self, appends: list[_Append]) -> None:
        if len(appends) > 1:
            try:
                first = await self._publish_batch(appends)
            except (_Refused, nats_errors.Error, TimeoutError, OSError):
                pass  # each is tried alone below, and finds out whether the batch held
            else:
                for append in appends:
                    append.answer(_contiguous(first, append))
                    first += len(append.entries)
                return
        await asyncio.gather(*(self._answer(append) for append in appends))

    async def _answer(self, append: _Append) -> None:
        try:
            append.answer(await self._store(append))
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits this append
            append.answer(error)

    async def _store(self, append: _Append) -> list[int]:
        """Publish until the broker answers; an append that is already there is a success."""
        try:
            first = await until_answered(lambda: self._publish(append))
        except _Refused as refusal:
            if refusal.code in _STORAGE_FULL:
                raise StorageFull(str(refusal)) from refusal
            if refusal.code != _WRONG_LAST_SEQUENCE:
                raise LogUnavailable(f"event log refused: {refusal}") from refusal
            return await self._positions_if_ours(append)
        return _contiguous(first, append)

    async def _positions_if_ours(self, append: _Append) -> list[int]:
        """A conflict with ourselves is an acknowledgement that was lost on its way."""
        subject = append.entries[0].subject
        found = await self._reader.fetch(direct_get.last(self._stream, subject))
        if found and found[0].append == append.id:
            return _contiguous(found[0].position, append)
        raise VersionConflict(f"already in the log: {subject}, or one beside it")

    async def _publish(self, append: _Append) -> int:
        if len(append.entries) > 1:
            return await self._publish_batch([append])
        entry = append.entries[0]
        return _first_position(
            await self._client.request(
                entry.subject, entry.payload, ANSWER_TIMEOUT_S, headers=_headers(entry, append.id)
            )
        )

    async def _publish_batch(self, appends: Sequence[_Append]) -> int:
        pairs = [(entry, append.id) for append in appends for entry in append.entries]
        batch = {"Nats-Batch-Id": token_hex(8)}
        for number, (entry, append_id) in enumerate(pairs[:-1], 1):
            headers = _headers(entry, append_id) | batch | {"Nats-Batch-Sequence": str(number)}
            await self._client.publish(entry.subject, entry.payload, headers=headers)
        entry, append_id = pairs[-1]
        end = {"Nats-Batch-Sequence": str(len(pairs)), "Nats-Batch-Commit": "1"}
        headers = _headers(entry, append_id) | batch | end
        answer = await self._client.request(
            entry.subject, entry.payload, ANSWER_TIMEOUT_S, headers=headers
        )
        return _first_position(answer, len(pairs))


def _headers(entry: Entry, append_id: str) -> dict[str, str]:
    return {
        **entry.headers,
        APPEND_HEADER: append_id,
        "Nats-Expected-Last-Subject-Sequence": "0",
    }


def _first_position(answer: Any, count: int = 1) -> int:
    acknowledged = orjson.loads(answer.data)
    if error := acknowledged.get("error"):
        raise _Refused(error.get("err_code", 0), error.get("description", "no reason given"))
    return int(acknowledged["seq"]) - count + 1


def _contiguous(first: int, append: _Append) -> list[int]:
    return list(range(first, first + len(append.entries)))
