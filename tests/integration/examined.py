"""Datasets of the first administrator, an examiner that looks into them, and runs that use them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any
from uuid import uuid4

import polars as pl

from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from tests.integration.artifacts import an_artifact, nothing_stored, read, registered
from tests.integration.people import Person, done
from tests.integration.platform import Platform
from tests.integration.pushing import Pushed
from workers.examination import Examiner

_PATIENCE_S = 90.0


def a_table(rows: int = 3, label: str = "") -> pl.DataFrame:
    label = label or uuid4().hex
    return pl.DataFrame({"id": range(rows), "label": [label] * rows})


def a_csv(rows: int = 3, label: str = "") -> dict[str, bytes]:
    return {"data.csv": a_table(rows, label).write_csv().encode()}


def a_parquet(label: str = "") -> dict[str, bytes]:
    file = BytesIO()
    a_table(label=label).write_parquet(file)
    return {"part one/data.parquet": file.getvalue()}


@asynccontextmanager
async def examining(platform: Platform) -> AsyncIterator[None]:
    """An examiner works meanwhile, as it does in the custodian."""
    stopped = threading.Event()
    services = platform.services
    with BulkReader(platform.settings.nats_url, Layout().stream) as reader:
        examiner = Examiner(services.store, services.artifacts, reader, platform.settings.work)
        working = asyncio.create_task(examiner.run(stopped))
        try:
            yield
        finally:
            stopped.set()
            await working


class Lake:
    """A dataset, and requests for runs that read it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.admin = Person(platform, "", platform.token)
        self.pushed = Pushed(platform)
        self.dataset = ""

    async def open(self, **sharing: Any) -> "Lake":
        """Register the dataset."""
        self.dataset = await registered(self.admin, "datasets", **sharing)
        return self

    async def publish(self, files: Mapping[str, bytes], **more: Any) -> str:
        """The id of the next version, of these files or of an artifact that is there."""
        if "artifact" not in more:
            more["artifact"] = await an_artifact(self.admin, self.dataset, files)
        path = f"/datasets/{self.dataset}/versions"
        return str(done(await self.admin.call("POST", path, more))["id"])

    async def expect(self, text: str | None) -> None:
        """Say what versions are held against."""
        path = f"/datasets/{self.dataset}/expectations"
        done(await self.admin.call("PUT", path, {"text": text}))

    async def seen(self, version: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The version as it is read once it is as wanted."""
        path = f"/versions/{version}"
        async with asyncio.timeout(_PATIENCE_S):
            while not enough(row := await read(self.platform, self.admin, path)):
                await asyncio.sleep(0.2)
        return row

    async def profiled(self, version: str) -> dict[str, Any]:
        """The version once somebody has looked into it."""
        return await self.seen(version, lambda row: row["profile"] is not None)

    async def judged(self, version: str, quality: str) -> dict[str, Any]:
        """The version once this is what is said of its quality."""
        return await self.seen(version, lambda row: bool(row["quality"] == quality))

    async def topics(self, version: str) -> list[str]:
        """What happened to a version."""
        return [message.topic for message in await self.platform.services.log.read(version)]

    async def started(self, data: str) -> bool:
        """Whether a run with this data may start; if not, nothing is stored and why is told."""
        if not self.pushed.ids:
            await self.pushed.everything()
        if (await self.pushed.run(datasets={"train": data})).is_success:
            return True
        request = self.pushed.run(datasets={"train": data})
        assert await nothing_stored(self.platform, request, 409) == "quality"
        return False
