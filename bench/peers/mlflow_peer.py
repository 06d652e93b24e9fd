"""MLflow's tracking server with one worker, and its client, each in a process of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.peers.child import Child, running_child
from bench.peers.environment import peers_variables
from bench.peers.machine_floor import bytes_of

GUNICORN_THREADS = ("--gunicorn-opts", "--timeout 600 --worker-class gthread --threads 4")
"""With these it was the fastest of four: uvicorn, uvicorn with httptools and uvloop, gunicorn,
gunicorn with threads; in uploads by a little, in downloads by far."""

UVICORN: tuple[str, ...] = ()
"""What `mlflow server` takes if nothing is said."""

_POLL_S = 0.1
_PATIENCE_S = 120.0
_STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a run, and the seconds that `log_artifact` took; creating the run is not in."""

    run: str
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Mlflow:
    """A server that answers, and a client that is connected to it."""

    folder: Path
    """Of the server: its database and its artifacts."""
    client: Child

    def upload(self, path: Path) -> Upload:
        """Log a file as an artifact of a new run, once the disk is at rest."""
        os.sync()
        run, seconds = self.client.ask("upload", path=str(path))
        return Upload(run, path.name, seconds)

    def download(self, upload: Upload, folder: Path) -> float:
        """Seconds to download an artifact to a folder, as a file; the client keeps no cache."""
        folder.mkdir(parents=True, exist_ok=True)
        os.sync()
        wanted = {"run": upload.run, "name": upload.name}
        return float(self.client.ask("download", **wanted, folder=str(folder)))

    def disk_bytes(self) -> int:
        """All files of the server: artifacts and database."""
        return bytes_of(self.folder)


@contextmanager
def running_mlflow(
    folder: Path, python: Path, options: tuple[str, ...] = GUNICORN_THREADS
) -> Iterator[Mlflow]:
    """A server with a database and proxied artifacts in a folder, until the end of the block.

    `python` is that of `peers_python`, `options` are more of `mlflow server`'s own.
    Raises RuntimeError if the server does not come up.
    """
    server = folder / "server"
    server.mkdir(parents=True)
    variables = peers_variables(folder)
    with _running_server(server, python, options, variables) as url:
        variables["MLFLOW_TRACKING_URI"] = url
        with running_child(python, "mlflow_commands", folder, variables) as client:
            yield Mlflow(server, client)


@contextmanager
def _running_server(
    folder: Path, python: Path, options: tuple[str, ...], variables: Mapping[str, str]
) -> Iterator[str]:
    port = str(_free_port())
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--serve-artifacts", "--artifacts-destination", f"file://{folder}/artifacts"]
    with (folder.parent / "mlflow_server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _until_healthy(url, process)
        yield url
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers, which are in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until_healthy(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not _healthy(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("MLflow's server does not come up: see mlflow_server.log")
        time.sleep(_POLL_S)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
