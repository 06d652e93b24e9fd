"""A node for tests: a work folder, a real environment, and a platform that hands out files."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hansard.formats.bundle import pack
from hansard.formats.frames import Frame, Kind, unpack_log, unpack_metrics, unpack_status
from hansard.formats.outbox import read_from
from infra.environments.locks import lock
from infra.environments.store import EnvironmentStore, sdk_wheel
from tests.integration.artifact_box import ArtifactBox
from workers.attempt_folder import AttemptFolder
from workers.launch_spec import LaunchSpec, pass_spec

TOKEN = "token-of-a-run"
DEADLINE_S = 30
STUBBORN = """
import time, signal
class Job(hansard.Executor):
    def execute(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("begun")
        time.sleep(60)
"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.artifacts = ArtifactBox()
        self.failures = 0
        """So many requests are answered with 503 first."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path.startswith("/v1/artifacts/"):
            return self._artifacts()
        path = self.server.root / self.path.rpartition("/")[2]
        if self._refused() or not path.exists():
            return self._answer(404)
        return self._answer(200, path.read_bytes())

    def do_PUT(self) -> None:
        self._artifacts()

    def do_POST(self) -> None:
        self._artifacts()

    def _artifacts(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self._refused():
            return self._answer(404)
        path = self.path.removeprefix("/v1/")
        return self._answer(*self.server.artifacts.answer(self.command, path, body))

    def _refused(self) -> bool:
        if self.server.failures:
            self.server.failures -= 1
            self._answer(503)
            self.close_connection = True
            return True
        return self.headers["Authorization"] != f"Bearer {TOKEN}"

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@dataclass(slots=True)
class Node:
    """Describe attempts with `spec`, launch them, and read what was told of them."""

    root: Path
    environments: Path
    server: _Server
    lock: str
    launchers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    counter: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    @property
    def work(self) -> Path:
        return self.root / "work"

    def keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (self.server.root / digest).write_bytes(data)
        return digest

    def bundle(self, source: str, entry: str = "Job", kind: str = "executor") -> dict[str, Any]:
        folder = self.root / f"source-{next(self.counter)}"
        folder.mkdir()
        (folder / "main.py").write_text(f"import hansard\n{textwrap.dedent(source)}")
        packed = pack(folder, entry=f"main:{entry}", kind=kind)
        return {"bundle": self.keep(packed.data), "entry": f"main:{entry}", "parameters": {}}

    def spec(self, source: str, **changes: Any) -> LaunchSpec:
        """An attempt of an executor with this source."""
        facts: dict[str, Any] = {
            "run": f"run-{self.root.name.replace('_', '-')}-{next(self.counter)}",
            "attempt": 1,
            "project": "project-1",
            "experiment": "experiment-1",
            "node": "local",
            "fence": 1,
            "api_url": f"http://127.0.0.1:{self.server.server_address[1]}",
            "token": TOKEN,
            "work": str(self.work),
            "environments": str(self.environments),
            "lock": self.lock,
            "executor": self.bundle(source),
            "slots": {},
            "datasets": {},
            "seed": 7,
            "cpus": 1,
            "gpus": 0,
            "threads": 1,
            "wall_time_s": 60.0,
            "grace_s": 0.5,
        }
        return LaunchSpec(**(facts | changes))

    def folder(self, spec: LaunchSpec) -> AttemptFolder:
        return AttemptFolder(self.work / f"{spec.run}.{spec.attempt}")

    def start(self, spec: LaunchSpec) -> "subprocess.Popen[bytes]":
        """A launcher in a process of its own."""
        descriptor = pass_spec(spec)
        with closing(os.fdopen(descriptor)):
            process = subprocess.Popen(
                [sys.executable, "-m", "workers.launcher", str(descriptor)],
                stderr=subprocess.PIPE,
                pass_fds=[descriptor],
            )
        self.launchers.append(process)
        return process

    def end(self) -> None:
        """Leave no launcher behind, whatever a test did."""
        for launcher in self.launchers:
            launcher.kill()
            launcher.wait()
            assert launcher.stderr is not None
            launcher.stderr.close()

    def run(self, spec: LaunchSpec) -> dict[str, Any]:
        """Launch an attempt and answer its last status."""
        process = self.start(spec)
        _, errors = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, errors
        return self.statuses(spec)[-1]

    def frames(self, spec: LaunchSpec) -> list[Frame]:
        path = self.folder(spec).outbox
        return [frame for frame, _ in read_from(path)] if path.exists() else []

    def statuses(self, spec: LaunchSpec) -> list[dict[str, Any]]:
        return statuses(self.frames(spec))

    def lines(self, spec: LaunchSpec, stream: str = "stdout") -> dict[int, str]:
        return lines(self.frames(spec), stream)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def job(body: str) -> str:
    indented = body.replace("\n", "\n        ")
    return f"class Job(hansard.Executor):\n    def execute(self):\n        {indented}\n"


def statuses(frames: list[Frame]) -> list[dict[str, Any]]:
    """The status frames among these."""
    return [unpack_status(frame.payload) for frame in frames if frame.kind is Kind.STATUS]


def points(frames: list[Frame]) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by key, in order."""
    found: dict[str, list[tuple[int, float]]] = {}
    for frame in frames:
        if frame.kind is Kind.METRICS:
            for column in unpack_metrics(frame.payload):
                pairs = zip(column.steps, column.values, strict=True)
                found.setdefault(column.key, []).extend(pairs)
    return found


def lines(frames: list[Frame], stream: str) -> dict[int, str]:
    """Lines by number; a number told twice is an error."""
    found: dict[int, str] = {}
    for frame in frames:
        if frame.kind is Kind.LOG and (chunk := unpack_log(frame.payload)).stream == stream:
            for number, line in enumerate(chunk.lines, chunk.first_line):
                assert number not in found
                found[number] = line
    return found


@contextmanager
def file_server(root: Path) -> Iterator[_Server]:
    """Serves files by digest from a folder."""
    server = _Server(root)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def node(root: Path, environments: Path) -> Iterator[Node]:
    """A node whose environment without requirements is in a shared folder, built once."""
    files = root / "platform"
    files.mkdir()
    wheel = sdk_wheel(environments)
    store = EnvironmentStore(environments, wheel)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    pinned = lock([], python=version, sdk_wheel=wheel, cache=store.cache)
    store.ensure(pinned)
    with file_server(files) as server:
        made = Node(root, environments, server, "")
        made.lock = made.keep(json.dumps(asdict(pinned)).encode())
        try:
            yield made
        finally:
            made.end()
