"""`hansard node join`: this machine as a node of a platform, until it is stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import httpx
import typer

from infra.embedded.child import spawn
from infra.embedded.data_folder import AlreadyRunning, DataFolder
from infra.embedded.ray_node import RayWorker
from infra.embedded.supervisor import Service, Supervisor
from infra.embedded.supervisor_mark import VARIABLE, supervisor_mark
from infra.logging import set_up_logging
from infra.node_resources import node_resources
from infra.settings import Settings

TOKEN = "HANSARD_JOIN_TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT_S = 30.0
_REFUSED = "the join token is wrong, expired or revoked: ask for a new one (`hansard nodes token`)"


def join(url: str, name: str, data_dir: Path | None) -> None:
    """Ask to be admitted, then run the agent and a Ray worker node until stopped."""
    set_up_logging("node")
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    token = os.environ.pop(TOKEN, "") or _asked()
    if not token:
        _fail(f"{TOKEN} and stdin have no join token")
    try:
        with DataFolder(settings.folder) as folder:
            joined = _joined(url.rstrip("/"), name, token)
            _keep_running(folder, settings, url.rstrip("/"), joined)
    except AlreadyRunning as running:
        _fail(f"{running}; stop it first, or choose another --data-dir")


def _asked() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Join token", hide_input=True)).strip()
    return sys.stdin.readline().strip()


def _joined(url: str, name: str, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.post(
            f"{url}/v1/nodes/join", json={"node": name}, headers=headers, timeout=_TIMEOUT_S
        )
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        _fail(f"no platform answers at {url}: {error}")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        _fail(_REFUSED)
    if not answer.is_success:
        _fail(f"{url} refuses this node: {found.get('detail', answer.status_code)}")
    return found


def _keep_running(folder: DataFolder, settings: Settings, url: str, joined: dict[str, Any]) -> None:
    folder.replace_credential("ray-token", joined["ray_token"])
    room = node_resources(settings.slots, settings.gpus)
    os.environ[VARIABLE] = supervisor_mark(os.getpid())
    ray = RayWorker(
        folder,
        node=joined["node"],
        cpus=room.cpus,
        gpus=room.gpus,
        head=joined["ray_address"],
    )
    variables = {
        "HANSARD_DATA_DIR": str(folder.path),
        "HANSARD_NODE": joined["node"],
        "HANSARD_API_URL": url,
        "HANSARD_NATS_TELEMETRY_URL": joined["nats_url"],
    }
    told = f"This machine is the node {joined['node']} of {url}. Ctrl-C stops it."
    Supervisor([_agent(folder, variables), ray.service()]).run(lambda: typer.echo(told))


def _agent(folder: DataFolder, variables: dict[str, str]) -> Service:
    def start() -> "subprocess.Popen[bytes]":
        return spawn(
            [sys.executable, "-m", "workers.agent"],
            env={**os.environ, **variables},
            cwd=folder.path,
            log=folder.log("agent"),
            death_signal=signal.SIGKILL,
        )

    return Service("agent", start)


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"error: {sentence}", err=True)
    raise typer.Exit(1)
