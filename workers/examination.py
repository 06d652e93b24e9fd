"""Looks into new dataset versions: what they hold, and whether it is what was expected.

Follows the record for versions of datasets and for their expectations. The files are parsed in a
process of their own; what it finds becomes an event, and so does its failure. A crash in between
changes nothing: what has no profile yet is looked into again.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg
import structlog

from domain.abstraction import Abstraction
from domain.aggregate import Context
from domain.errors import Conflict
from domain.version import Version
from hansard.formats.objects import ObjectError
from infra.artifacts.reading import ObjectsMissing
from infra.artifacts.storage import StorageFailed
from infra.artifacts.store import ArtifactStore
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import LogUnavailable, StorageFull
from infra.event_log.layout import Layout
from infra.event_store import EventStore, Session
from workers.backlog import RETRY_S, Backlog, digest
from workers.examined_files import sweep, written_out
from workers.findings import Findings, failed, findings_of, unreadable
from workers.tables.process import TablesFailed, run_tables

_PAGE = 1000
_IDLE_S = 0.5
_TIMEOUT_S = 900.0
_PASSING = (psycopg.Error, OSError, StorageFailed, StorageFull, LogUnavailable, Conflict)
"""What may be over later, and says nothing about the data."""
_REFERENCE = "only a reference to the data was kept, so there is nothing to look into"
_DAMAGED = "some of the bytes are missing or damaged"

_log = structlog.get_logger(__name__)


class Examiner:
    """Examines one version at a time; `work` is the folder for their files meanwhile."""

    def __init__(
        self, events: EventStore, artifacts: ArtifactStore, reader: BulkReader, work: Path
    ) -> None:
        self._events = events
        self._artifacts = artifacts
        self._reader = reader
        self._work = work
        self._positions = {Layout().of_kind(kind): 0 for kind in ("version", "dataset")}
        self._backlog = Backlog()

    async def run(self, stopped: threading.Event) -> None:
        """Follow and examine until the process must stop."""
        await asyncio.to_thread(sweep, self._work)
        while not stopped.is_set():
            pause_s = await self._step()
            await asyncio.to_thread(stopped.wait, pause_s)

    async def _step(self) -> float:
        """Examine what is most urgent; answers how many seconds to wait before the next step."""
        try:
            await asyncio.to_thread(self._follow)
        except LogUnavailable as error:
            _log.warning("examination_waits", error=str(error))
            return RETRY_S
        version = self._backlog.first(time.monotonic())
        if version is None:
            return _IDLE_S
        try:
            self._backlog.settled(version, await self.examine(version))
        except _PASSING as error:
            _log.warning("examination_put_off", version=version, error=_told(error))
            self._backlog.put_off(version, time.monotonic())
        except Exception:  # noqa: BLE001 - the store is kept whatever one version does
            _log.exception("examination_failed", version=version)
            self._backlog.set_aside(version)
        return 0.0

    def _follow(self) -> None:
        """Note what has come. Raises LogUnavailable."""
        for subjects in self._positions:
            read = self._reader.read_after
            while messages := read(self._positions[subjects], _PAGE, subjects):
                for message in messages:
                    entity = str(Layout().parse(message.subject)[0])
                    data = orjson.loads(message.payload)["data"]
                    self._backlog.note(entity, message.topic, data)
                self._positions[subjects] = messages[-1].position

    async def examine(self, version_id: str) -> str | None:
        """Record the profile and the check that a version lacks.

        Answers the digest of the expectations that it was last held against.
        """
        context = Context("custodian", datetime.now(UTC), f"examination-{version_id}")

        async def look(session: Session) -> tuple[Version, str | None]:
            version = await session.load(Version, version_id)
            dataset = await session.load(Abstraction, version.abstraction)
            return version, _unmet(version, dataset)

        version, text = await self._events.run(context, look)
        if version.deleted or (version.profiled and text is None):
            return version.expectations
        findings = await asyncio.to_thread(self._findings, version, text)

        async def record(session: Session) -> Version:
            now = await session.load(Version, version_id)
            dataset = await session.load(Abstraction, now.abstraction)
            if not now.deleted:
                _record(now, findings, text if _unmet(now, dataset) == text else None)
                await session.save(now)
            return now

        now = await self._events.run(context, record)
        _log.info("version_examined", version=version_id, error=findings.error)
        return now.expectations

    def _findings(self, version: Version, text: str | None) -> Findings:
        """What to record of the version's files, and of the expectations if there is a text."""
        if version.content is None or version.details.get("mode") == "reference":
            return failed(_REFERENCE, text)
        root = bytes.fromhex(version.content["root"])
        try:
            with written_out(self._artifacts, root, self._work) as paths:
                return _looked_into(paths, text, profiled=version.profiled)
        except TablesFailed as error:
            return failed(str(error), text)
        except (ObjectsMissing, ObjectError):
            return failed(_DAMAGED, text)


def _looked_into(paths: Sequence[Path], text: str | None, *, profiled: bool) -> Findings:
    """What the process for tables finds. Raises TablesFailed."""
    profile = {"profile": [str(path) for path in paths]}
    started = time.monotonic()
    try:
        return findings_of(run_tables({**profile, "expectations": text}, _TIMEOUT_S), text)
    except TablesFailed as error:
        left_s = _TIMEOUT_S - (time.monotonic() - started)
        if text is None or profiled or left_s < 1:
            raise
        # There may be no table, or too much may be expected: that is no reason to tell nothing.
        found = findings_of(run_tables(profile, left_s))
        return replace(found, check=unreadable(text, str(error)))


def _unmet(version: Version, dataset: Abstraction) -> str | None:
    """The expectations that the version must still be held against."""
    text = dataset.expectations
    return None if text is None or version.expectations == digest(text) else text


def _record(version: Version, findings: Findings, expectations: str | None) -> None:
    """Both findings, as far as the version lacks them. Raises Conflict, Invalid."""
    if not version.profiled:
        version.record_profile(findings.profile, findings.examples, findings.error)
    if findings.check is not None and expectations is not None:
        version.record_check(digest(expectations), **findings.check)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
