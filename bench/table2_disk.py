"""How much disk a hundred fine-tunes take, by ten users, for heads of three sizes."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

import hansard
from bench.entropy_floor import TensorFloor
from bench.figure import Figure
from bench.machine import scratch_folder
from bench.peers.machine_floor import bytes_of, cp_s
from bench.platform import Platform, running_platform, until_cached
from bench.table2_models import HEAD_BYTES, FineTunes

_USERS, _RUNS = 10, 10
_MB = 1_000_000
_SETTLED_S = 600
_COLD = 3


def disk_figures() -> Iterator[Figure]:
    """Of packs, index and events together, once the custodian has compressed what came in raw."""
    models = FineTunes()
    shares = []
    for head_bytes in HEAD_BYTES:
        with scratch_folder() as scratch:
            disk, floor, raw, cold = _hundred(models, head_bytes, scratch)
        note = f"{disk / _MB:.1f} MB, raw {raw / _MB:.1f}, entropy floor {floor / _MB:.1f}"
        shares.append((disk / raw, f"head {head_bytes / _MB:g} MB: {note}"))
        if head_bytes == HEAD_BYTES[1]:
            n = _USERS * _RUNS
            yield Figure("table2.disk_mb", disk / _MB, "MB", n, floor / _MB, None, note)
            yield Figure("table2.disk_over_floor", disk / floor, "x", n, None, None, note)
            note = "cold download of what the custodian has compressed"
            yield Figure("table2.cold_compressed_over_cp", cold, "x", _COLD, None, None, note)
        else:
            yield Figure(
                f"table2.disk_{head_bytes // 1000}k_mb", disk / _MB, "MB", 100, floor / _MB
            )
    worst, note = max(shares)
    yield Figure("table2.disk_over_unique_raw", worst, "x", len(shares), None, None, note)


def _hundred(
    models: FineTunes, head_bytes: int, scratch: Path
) -> tuple[float, float, float, float]:
    """Bytes on disk, entropy floor, unique raw bytes; a cold download then, in times of `cp`."""
    floor = TensorFloor()
    os.environ["HANSARD_CACHE_DIR"] = str(scratch / "cache")
    with running_platform(scratch / "data", "local") as platform:
        before = _used(scratch / "data")
        users = _users(platform)
        base = None
        for run in range(_RUNS):
            for number, client in enumerate(users):
                path = models.write_model(scratch / "models", (number, run), head_bytes)
                floor.add(path)
                version = client.models.push(path, f"bert of {number}")
                if base is None:  # the first one is everybody's to build on
                    client.models.share(version.abstraction, visibility="public")
                    base = version
                path.unlink()
        _until_settled(scratch / "data")
        disk = _used(scratch / "data") - before
        assert base is not None
        cold = _cold(platform, base, models, head_bytes, scratch)
        for client in users:
            client.close()
    return disk, floor.entropy_bytes, floor.unique_raw_bytes, cold


def _users(platform: Platform) -> list[hansard.Client]:
    url = str(platform.http.base_url)
    found = []
    for number in range(_USERS):
        user = platform.client.users.create(f"engineer {number}", f"e{number}@example.org")
        token = platform.client.tokens.issue(user.id)
        found.append(hansard.Client(url, token.token))
    return found


def _used(data: Path) -> float:
    """Bytes of packs, of the database and of the record."""
    with psycopg.connect(_postgres(data)) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return bytes_of(data / "files") + int(row[0]) + bytes_of(data / "nats")


def _until_settled(data: Path) -> None:
    """Until the custodian has compressed every pack and removed those it replaced."""
    deadline = time.monotonic() + _SETTLED_S
    with psycopg.connect(_postgres(data), autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT count(*) FROM store.pack WHERE loose OR retired IS NOT NULL"
            ).fetchone()
            if row == (0,):
                return
            time.sleep(1)
    raise TimeoutError("the custodian has not compressed everything")


def _postgres(data: Path) -> str:
    return str(json.loads((data / "server.json").read_text())["HANSARD_POSTGRES_URL"])


def _cold(
    platform: Platform, base: hansard.Version, models: FineTunes, head_bytes: int, scratch: Path
) -> float:
    path = models.write_model(scratch / "models", (0, 0), head_bytes)
    ratios = []
    for number in range(_COLD):
        os.environ["HANSARD_CACHE_DIR"] = str(scratch / f"cold-{number}")
        start = time.perf_counter()
        platform.client.models.pull(base.id, scratch / "out")
        taken = time.perf_counter() - start
        until_cached()
        shutil.rmtree(scratch / "out")
        ratios.append(taken / cp_s(path, scratch))
    return sorted(ratios)[_COLD // 2]
