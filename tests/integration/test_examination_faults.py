"""What goes wrong while a dataset is looked into: told in words, or done again later."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from hansard.formats.codec import Codec
from hansard.formats.ids import new_id
from hansard.formats.objects import Kind, Ref, Root, encode_root, name_of
from hansard.formats.packs import Frame, read_frames
from infra.settings import Settings
from tests.integration.artifact_lab import own_database
from tests.integration.artifacts import framed
from tests.integration.conftest import Servers
from tests.integration.examined import Lake, a_csv, a_parquet, examining
from tests.integration.people import done
from tests.integration.platform import Platform, running
from tests.integration.store_box import keep, send
from workers import backlog, examination, examined_files

COLUMNS = 500


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    own = replace(servers, postgres=own_database(servers))
    async with running(own, tmp_path) as platform:
        yield platform


@pytest.fixture
async def lake(platform: Platform) -> Lake:
    return await Lake(platform).open()


async def test_a_hostile_file_is_told_of_in_words(lake: Lake) -> None:
    await lake.expect("rows: {min: 1}")  # which the footers of its files meet
    (whole,) = a_parquet().values()
    hostile = whole[:4] + b"\xff" * 100 + whole[104:]  # its pages are not what its footer says
    async with examining(lake.platform):
        version = await lake.publish({"data.parquet": hostile, **a_csv()})
        row = await lake.judged(version, "failed")
    (lost,) = row["profile"]["unreadable"]
    assert "cannot be read" in lost["reason"]
    assert row["profile"]["tables"][0]["rows"] == 3
    check, *_ = row["checks"]
    assert (check["check"], check["observed"]) == ("readable", lost["reason"])
    assert not await lake.started(version)


async def test_a_look_that_takes_too_long_is_told_of_in_words(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "_TIMEOUT_S", 0.05)
    await lake.expect("on_failure: warn")
    async with examining(lake.platform):
        row = await lake.judged(await lake.publish(a_csv()), "warned")
    assert "took more than 0.05 s" in row["profile_error"]
    assert row["checks"][0]["observed"] == row["profile_error"]


async def test_tables_that_fit_no_disk_are_told_of_in_words(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examined_files, "SPARE_BYTES", 1 << 60)
    async with examining(lake.platform):
        row = await lake.profiled(await lake.publish(a_csv()))
    assert "larger than the disk" in row["profile_error"]


async def test_paths_that_fit_no_folder_are_told_of_in_words(lake: Lake) -> None:
    # Neighbouring leaves are held against each other at the commit, so one lies between them.
    between = {"a.csv-": uuid4().hex.encode()}
    files = {"a.csv": b"id\n1\n", **between, "a.csv/b.csv": uuid4().hex.encode()}
    sent = b"".join(framed({path: content})[1] for path, content in files.items())
    leaves = [frame for frame in read_frames(sent) if frame.kind is Kind.LEAF]
    refs = tuple(Ref(Kind.LEAF, leaf.name, leaf.raw) for leaf in leaves)
    raw = encode_root(Root(sum(map(len, files.values())), len(files), refs))
    root, upload = name_of(Kind.ROOT, raw), new_id("upload")
    frame = Frame(root, Kind.ROOT, Codec.RAW, len(raw), raw)
    body = sent + frame.header + raw
    assert (await send(lake.admin, upload, body)).status_code == 201
    artifact = done(await keep(lake.admin, upload, root, lake.dataset))["id"]
    async with examining(lake.platform):
        row = await lake.profiled(await lake.publish({}, artifact=artifact))
    assert row["profile_error"] == "one path is that of a file and of a folder"


async def test_bytes_that_were_lost_are_told_of_in_words(lake: Lake) -> None:
    version = await lake.publish(a_csv())
    shutil.rmtree(lake.platform.settings.files / "packs")
    async with examining(lake.platform):
        row = await lake.profiled(version)
    assert row["profile_error"] == "some of the bytes are missing or damaged"


async def test_a_disk_that_is_full_for_a_while_is_no_fault_of_the_data_and_holds_nobody_up(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "RETRY_S", 0.1)
    version = await lake.publish(a_csv())
    whole_disk = shutil.disk_usage(lake.platform.settings.folder).total
    other = await Lake(lake.platform).open()
    with monkeypatch.context() as full:
        full.setattr(examined_files, "SPARE_BYTES", whole_disk - (1 << 20))
        async with examining(lake.platform):
            await other.profiled(await other.publish({"notes.txt": uuid4().hex.encode()}))
            await asyncio.sleep(1)
            assert await lake.topics(version) == ["version.published.v3"]
            full.undo()
            assert (await lake.profiled(version))["profile_error"] is None


@contextmanager
def custodian(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """The process as `hansard up` starts it; killed at the end."""
    told = {name: str(getattr(settings, name)) for name in ("data_dir", "nats_url", "postgres_url")}
    environment = {**os.environ, **{f"HANSARD_{name.upper()}": told[name] for name in told}}
    process = subprocess.Popen([sys.executable, "-m", "workers.custodian"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
async def test_what_a_killed_custodian_had_begun_is_done_by_the_next(
    lake: Lake, platform: Platform
) -> None:
    header = ",".join(f"column {n}" for n in range(COLUMNS))
    row = ",".join(str(time.time_ns() + n) for n in range(COLUMNS))
    version = await lake.publish({"data.csv": f"{header}\n{row}\n".encode() * 100})
    work = platform.settings.work
    with custodian(platform.settings):
        async with asyncio.timeout(60):
            while not list(work.glob(".examined-*/data.csv")):
                await asyncio.sleep(0.005)
    assert list(work.glob(".examined-*")) != []
    assert await lake.topics(version) == ["version.published.v3"]
    with custodian(platform.settings):
        found = await lake.profiled(version)
        assert found["profile_error"] is None
        assert len(found["profile"]["tables"][0]["columns"]) == COLUMNS
    assert await lake.topics(version) == ["version.published.v3", "version.profiled.v1"]
    assert list(work.glob(".examined-*")) == []
