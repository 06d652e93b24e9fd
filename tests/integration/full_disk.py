"""nats-server on a small disk that fills up: run under `unshare -m`, prints what happened."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventsourcing.persistence import StoredEvent

from hansard.formats.ids import new_id
from infra.disk_space import DiskSpace
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.event_log.errors import LogUnavailable, StorageFull
from infra.event_log.log import EventLog
from infra.event_log.streams import EVENTS, create
from infra.nats_connection import connect

DISK_MB = 160
MIN_FREE_MB = 64  # more than is on its way to the broker at one moment
_PAYLOAD = b"x" * 50_000
_WRITERS = 4


async def _fill(log: EventLog, most: int) -> tuple[list[int], list[str]]:
    """Append from several writers until each is refused; answers positions and refusals."""
    positions: list[int] = []
    refusals: list[str] = []

    async def write() -> None:
        while len(positions) < most:
            event = StoredEvent(new_id("run"), 1, "run.noted.v1", _PAYLOAD)
            try:
                positions.extend(await log.append([event]))
            except (StorageFull, LogUnavailable) as error:
                refusals.append(f"{type(error).__name__}: {error}")
                return

    await asyncio.gather(*(write() for _ in range(_WRITERS)))
    return positions, refusals


async def _readable(log: EventLog, positions: list[int]) -> bool:
    found: set[int] = set()
    while page := await log.read_after(max(found, default=0), 200):
        found |= {message.position for message in page}
    return set(positions) <= found


async def _watched(server: NatsServer, ballast: Path, *, guarded: bool) -> dict[str, Any]:
    """Fill the disk with or without the guard, then free space, and look at each step."""
    client = await connect(server.url("admin"), "test")
    await create(client, EVENTS)
    guard: Callable[[], None] = DiskSpace(ballast.parent, MIN_FREE_MB << 20)
    log = EventLog(client, check_space=guard if guarded else lambda: None)
    positions, refusals = await _fill(log, most=40 * DISK_MB)
    reads_go_on = await _readable(log, positions)
    await asyncio.to_thread(ballast.unlink)
    if not guarded:
        server.restart()
    await asyncio.sleep(0.5)
    event = StoredEvent(new_id("run"), 1, "run.noted.v1", b"{}")
    after = await log.append([event])
    kept = await _readable(log, positions + after)
    await client.close()
    told = {"written": len(positions), "refusals": refusals, "reads_go_on": reads_go_on}
    return {**told, "written_after": len(after), "kept": kept}


def main() -> None:
    """Mount the small disk, run, and say what was seen."""
    place, guarded = Path(sys.argv[1]), sys.argv[2] == "guarded"
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m"]
    subprocess.run(["mount", *options, "tmpfs", place], check=True)
    ballast = place / "ballast"
    ballast.write_bytes(bytes(32 << 20))
    with DataFolder(place / "data") as folder:
        server = NatsServer(folder, max_store_bytes=1 << 30)
        server.start()
        try:
            print(json.dumps(asyncio.run(_watched(server, ballast, guarded=guarded))))  # noqa: T201
        finally:
            server.stop()


if __name__ == "__main__":
    main()
