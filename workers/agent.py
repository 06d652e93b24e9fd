"""The agent of a node: ships telemetry, finishes attempts whose launcher died, passes on cancels.

One process per node, the only one there with a connection to the broker. All it knows is in the
work folder, so that it may die and start again at any moment.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from domain.resources import Resources
from infra.embedded.child import spawn, stop
from infra.logging import set_up_logging
from infra.nats_connection import connect
from infra.node_resources import node_resources
from infra.settings import Settings
from infra.surroundings import launcher_surroundings
from workers.attempt_folder import AttemptFolder, attempt_folders, sweep
from workers.recipe import accelerator_facts, node_facts
from workers.recovery import finish_if_lost
from workers.shipper import Shipper

POLL_S = 0.05
TELL_EVERY_S = 2.0
_TROUBLE_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


class Agent:
    """Serves one node until `run` is cancelled. ``resources`` are what the node offers to runs."""

    def __init__(
        self,
        work: Path,
        node: str,
        client: Client,
        resources: Resources,
        labels: Mapping[str, str],
    ) -> None:
        self._work = work.resolve()
        self._node = node
        self._client = client
        self._resources = resources
        self._labels = labels
        self._followed: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow all attempts in the work folder, and tell what the node has."""
        self._work.mkdir(parents=True, exist_ok=True)
        await self._client.subscribe(f"ctl.{self._node}.>", cb=self._on_control)
        beside = [asyncio.create_task(work) for work in (self._tell(), self._keep_launching())]
        try:
            while not any(task.done() for task in beside):
                self._follow_new()
                await asyncio.sleep(POLL_S)
            for task in beside:
                if task.done():
                    task.result()
        finally:
            await _cancelled(*beside, *self._followed.values())

    async def _keep_launching(self) -> None:
        """Keep the launch service running; it has no credentials of ours, and ends with us."""
        log = self._work.parent / "logs" / "launch.log"
        log.parent.mkdir(exist_ok=True)
        while True:
            service = spawn(
                [sys.executable, "-m", "workers.launch_service"],
                env={**launcher_surroundings(), "HANSARD_DATA_DIR": str(self._work.parent)},
                cwd=self._work,
                log=log,
                death_signal=signal.SIGKILL,
            )
            try:
                await _end_of(service)
            finally:
                stop(service, ())
            _log.warning("launch_service_died", status=service.returncode)
            await asyncio.sleep(_TROUBLE_PAUSE_S)

    def _follow_new(self) -> None:
        for name in [name for name, task in self._followed.items() if task.done()]:
            del self._followed[name]
        for folder in attempt_folders(self._work):
            if folder.name not in self._followed:
                task = asyncio.create_task(self._follow(folder))
                self._followed[folder.name] = task

    async def _follow(self, folder: AttemptFolder) -> None:
        """Ship an attempt to its end, and delete it."""
        try:
            await self._ship(folder, Shipper(self._client, folder))
            await asyncio.to_thread(folder.remove)
            _log.info("attempt_shipped", attempt=folder.name)
        except Exception:  # noqa: BLE001 - an attempt's trouble (a full disk) must not stop others
            _log.exception("attempt_held_up", attempt=folder.name)
            await asyncio.sleep(_TROUBLE_PAUSE_S)  # then the attempt is found, and followed, anew

    async def _ship(self, folder: AttemptFolder, shipper: Shipper) -> None:
        """Ship all frames of an attempt; returns when its last one is acknowledged."""
        while True:
            await shipper.ship_new()
            gone = await asyncio.to_thread(finish_if_lost, folder)
            if gone and shipper.ended:
                return
            await asyncio.sleep(POLL_S)

    async def _tell(self) -> None:
        while True:
            if self._client.is_connected:
                await self._client.publish(f"node.{self._node}", self._state())
            sweep(self._work)
            await asyncio.sleep(TELL_EVERY_S)

    def _state(self) -> bytes:
        state = {
            "cpus": self._resources.cpus,
            "gpus": self._resources.gpus,
            "memory_mb": self._resources.memory_mb,
            "alive": [folder.name for folder in attempt_folders(self._work)],
            "facts": {**node_facts(), "accelerators": accelerator_facts()},
            "labels": self._labels,
        }
        return json.dumps(state).encode()

    async def _on_control(self, message: Msg) -> None:
        """Only attempts that are here are touched: their names come from the folder."""
        if message.subject != f"ctl.{self._node}.cancel":
            return
        wanted = message.data.decode(errors="replace")
        for folder in attempt_folders(self._work):
            if folder.name == wanted:
                with suppress(FileNotFoundError):  # it was shipped just now
                    folder.cancel.touch()


async def _end_of(process: "subprocess.Popen[bytes]") -> None:
    """Returns once a child has ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(settings: Settings) -> None:
    """Run this node's agent until SIGTERM or SIGINT."""
    client = await connect(settings.nats_telemetry_url, f"agent {settings.node}")
    resources = await asyncio.to_thread(node_resources, settings.slots, settings.gpus)
    agent = asyncio.create_task(
        Agent(settings.work, settings.node, client, resources, settings.labels).run(), name="agent"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, agent.cancel)
    try:
        await agent
    except asyncio.CancelledError:
        _log.info("agent_stopped")
    finally:
        await client.close()


def main() -> None:
    """Run the agent with the settings of the environment."""
    set_up_logging("agent")
    asyncio.run(serve(Settings()))


if __name__ == "__main__":
    main()
