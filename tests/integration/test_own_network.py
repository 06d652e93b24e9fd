"""A service in a network of its own: it hears nobody but those who join it there."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.embedded import network
from infra.embedded.child import spawn, stop, trampoline
from infra.embedded.launch import NAMESPACE_REFUSED
from tests.integration.node_box import until

pytestmark = pytest.mark.skipif(
    not network.can_be_own(), reason="this system allows no network namespaces"
)

_SERVE = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
print("listening", flush=True)
while True:
    listener.accept()[0].sendall(b"hello")
"""
_ASK = """
import socket, sys
print(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(9).decode())
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _ask(port: int, where: str) -> "subprocess.CompletedProcess[str]":
    command = trampoline([sys.executable, "-c", _ASK, str(port)], network=where)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_only_who_joins_its_network_reaches_a_service(tmp_path: Path) -> None:
    log, note, port = tmp_path / "log", tmp_path / "note", _free_port()
    server = spawn(
        [sys.executable, "-c", _SERVE, str(port)],
        env={},
        cwd=tmp_path,
        log=log,
        network=network.OWN,
    )
    try:
        network.note(note, server.pid)
        until(lambda: log.read_text() == "listening\n")
        assert _ask(port, network.noted(note)).stdout == "hello\n"
        assert "ConnectionRefusedError" in _ask(port, "").stderr
        assert f":{port:04X} " not in Path("/proc/net/tcp").read_text()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    finally:
        stop(server, ())
    assert network.noted(note) == ""


def test_who_would_join_ours_by_mistake_is_refused() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as sleeper:
        try:
            refused = _ask(1, str(sleeper.pid))
        finally:
            sleeper.kill()
    assert refused.returncode == NAMESPACE_REFUSED
    assert "no network of its own" in refused.stderr


def test_without_a_note_there_is_nobody_to_join(tmp_path: Path) -> None:
    assert network.noted(tmp_path / "absent") == ""
